/** One document of a file, as it stands there. */
export interface DocumentText {
  /** Its directives and its `---` line included; what ends it is not. */
  readonly text: string;
  /** Where the text begins, from 1. */
  readonly line: number;
}

const BYTE_ORDER_MARK = 0xfe_ff;

/**
 * Cuts a stream into its documents (YAML 1.2.2, 9.1 and 9.2) without parsing it: in column 0, `---` and `...` with white
 * space or nothing behind them are always markers, in quoted texts and block scalars too. What holds nothing but
 * comments is no document.
 */
export function splitDocuments(stream: string): readonly DocumentText[] {
  const documents: DocumentText[] = [];
  let start = 0;
  let startLine = 1;
  let hasBegun = false;
  let hasDirective = false;
  const cut = (end: number, next: number, nextLine: number): void => {
    // Directives without a document are a fault that the parser is to name.
    if (hasBegun || hasDirective) documents.push({ text: stream.slice(start, end), line: startLine });
    start = next;
    startLine = nextLine;
    hasBegun = false;
    hasDirective = false;
  };
  for (let at = 0, line = 1; at < stream.length; line++) {
    const next = stream.indexOf("\n", at) + 1 || stream.length;
    // Each document may begin with a byte order mark (5.2), as in files that were joined by `cat`.
    const mark = stream.charCodeAt(at) === BYTE_ORDER_MARK ? at + 1 : at;
    if (mark > at && start === at) start = mark;
    const kind = classifyLine(stream, mark, next);
    if (kind === "end") {
      cut(at, next, line + 1);
    } else if (kind === "start") {
      if (hasBegun) cut(at, mark, line);
      hasBegun = true;
    } else if (kind === "directive") {
      hasDirective ||= !hasBegun;
    } else if (kind === "content") {
      hasBegun = true;
    }
    at = next;
  }
  cut(stream.length, stream.length, 0);
  return documents;
}

/** Lines of a document before the first that says something: comments, directives, a bare `---`. */
export function linesBeforeContent(text: string): number {
  let lines = 0;
  for (let at = 0; at < text.length; lines++) {
    const next = text.indexOf("\n", at) + 1 || text.length;
    const kind = classifyLine(text, at, next);
    const isBare = kind === "start" && isBlankOrComment(text, at + 3, next);
    if (kind === "content" || (kind === "start" && !isBare)) return lines;
    at = next;
  }
  return 0;
}

function classifyLine(text: string, at: number, next: number): "start" | "end" | "directive" | "content" | "nothing" {
  const first = text[at];
  if (first === "%") return "directive";
  if ((first === "-" || first === ".") && isMarker(text, at, next)) return first === "-" ? "start" : "end";
  return isBlankOrComment(text, at, next) ? "nothing" : "content";
}

function isMarker(text: string, at: number, next: number): boolean {
  if (!text.startsWith("---", at) && !text.startsWith("...", at)) return false;
  return at + 3 >= next || /[ \t\r\n]/.test(text.charAt(at + 3));
}

function isBlankOrComment(text: string, at: number, next: number): boolean {
  for (let i = at; i < next; i++) {
    const character = text[i];
    if (character === "#") return true;
    if (character !== " " && character !== "\t" && character !== "\r" && character !== "\n") return false;
  }
  return true;
}
