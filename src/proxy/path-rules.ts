/**
 * Which paths have one reading. A path is refused if a backend that decodes, normalises or cuts it differently from the
 * table could take it for another path than the one that was matched (design.md 5).
 */

/**
 * What is wrong with a raw path, or undefined. Refused are `.` and `..` segments, with any of their dots escaped, also
 * before a `;` (servlet containers cut parameters before they resolve dots); `%2f`, `%5c`, `%00`, backslash, `#`,
 * malformed escapes, and all but visible ASCII. `//` is fine and stays.
 */
export function pathFault(path: string): string | undefined {
  for (let i = 0; i < path.length; i += 1) {
    const code = path.charCodeAt(i);
    const fault = code === PERCENT ? escapeFault(path, i) : charFault(code);
    if (fault !== undefined) return fault;
    if (code === SLASH && isDotSegment(path, i + 1)) return "a . or .. segment in the path";
  }
  return undefined;
}

/** What is wrong with a raw query, or undefined. It may hold anything visible but `#`; its escapes are nobody's path. */
export function queryFault(search: string): string | undefined {
  for (let i = 0; i < search.length; i += 1) {
    const code = search.charCodeAt(i);
    if (code <= 0x20 || code > 0x7e || code === HASH)
      return "a control or non-ASCII character, a space or # in the query";
  }
  return undefined;
}

const SLASH = 0x2f;
const PERCENT = 0x25;
const HASH = 0x23;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const SEMICOLON = 0x3b;

function charFault(code: number): string | undefined {
  if (code <= 0x20 || code > 0x7e) return "a control or non-ASCII character or a space in the path";
  if (code === BACKSLASH) return "a backslash in the path";
  if (code === HASH) return "a # in the path";
  return undefined;
}

function escapeFault(path: string, at: number): string | undefined {
  switch (escapedByte(path, at)) {
    case -1:
      return "a malformed percent-escape in the path";
    case SLASH:
      return "an escaped slash in the path";
    case BACKSLASH:
      return "an escaped backslash in the path";
    case 0:
      return "an escaped NUL in the path";
    default:
      return undefined;
  }
}

/** The byte that the escape at `at` stands for, or -1. */
function escapedByte(path: string, at: number): number {
  const high = hexDigit(path.charCodeAt(at + 1));
  const low = hexDigit(path.charCodeAt(at + 2));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

/** NaN, from behind the end of the text, is no digit either. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Whether one or two dots, escaped or not, fill the segment that starts at `start`, up to `/`, `;` or the end. */
function isDotSegment(path: string, start: number): boolean {
  let at = start;
  for (let dots = 0; dots <= 2; dots += 1) {
    const isEscape = path.charCodeAt(at) === PERCENT;
    const byte = isEscape ? escapedByte(path, at) : path.charCodeAt(at);
    if (byte !== DOT) return dots > 0 && (at >= path.length || byte === SLASH || byte === SEMICOLON);
    at += isEscape ? 3 : 1;
  }
  return false;
}
