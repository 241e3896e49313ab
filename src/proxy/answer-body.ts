import { answerOf, type ProxyErrorCode } from "./answers.ts";

/** Longer details are cut: a body of ours never grows with what a stranger sent. */
export const MAX_DETAIL_CHARS = 200;
/** More of an Accept header than this is not read. */
const MAX_ACCEPT_CHARS = 1024;

export interface AnswerBody {
  readonly contentType: string;
  /** ASCII only, so its length is its size in bytes. */
  readonly body: string;
}

/**
 * The body of an answer of ours: JSON for a client whose Accept prefers it (RFC 9110 12.5.1), else plain text.
 * `detail` may hold pieces of what was received; everything but printable ASCII is escaped.
 */
export function answerBody(code: ProxyErrorCode, detail: string, accept: string | undefined): AnswerBody {
  const { status, title } = answerOf(code);
  const safeDetail = printable(detail);
  if (prefersJson(accept)) {
    const body = `${JSON.stringify({ code, status, title, detail: safeDetail })}\n`;
    return { contentType: "application/json", body };
  }
  const lines = safeDetail === "" ? [`${code}: ${title}`] : [`${code}: ${title}`, safeDetail];
  return { contentType: "text/plain; charset=utf-8", body: `${lines.join("\n")}\n` };
}

/** Printable ASCII as it is, the rest as `\u{…}`, at most MAX_DETAIL_CHARS characters of the original. */
function printable(text: string): string {
  const cut = text.length > MAX_DETAIL_CHARS ? `${text.slice(0, MAX_DETAIL_CHARS)}...` : text;
  let out = "";
  for (let i = 0; i < cut.length; i += 1) {
    const code = cut.charCodeAt(i);
    out += code >= 0x20 && code <= 0x7e ? cut[i] : `\\u{${code.toString(16)}}`;
  }
  return out;
}

interface Preference {
  readonly quality: number;
  /** The more exactly the range names the type, the higher. */
  readonly exactness: number;
  readonly position: number;
}

const REFUSED: Preference = { quality: 0, exactness: -1, position: Number.POSITIVE_INFINITY };

/** With equal weight, JSON wins only where it is named, and before text. */
function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === "") return false;
  const ranges = accept.slice(0, MAX_ACCEPT_CHARS).toLowerCase().split(",");
  const json = preferenceFor(ranges, ["application/json", "application/*", "*/*"]);
  const text = preferenceFor(ranges, ["text/plain", "text/*", "*/*"]);
  if (json.quality !== text.quality) return json.quality > text.quality;
  if (json.quality === 0 || json.exactness === 0) return false;
  return text.exactness === 0 || json.position < text.position;
}

/** `names` from the exact type to the widest range; the most exact range that is there decides. */
function preferenceFor(ranges: readonly string[], names: readonly string[]): Preference {
  let best = REFUSED;
  ranges.forEach((range, position) => {
    const [name = "", ...parameters] = range.split(";");
    const at = names.indexOf(name.trim());
    if (at === -1) return;
    const exactness = names.length - 1 - at;
    if (exactness > best.exactness) best = { quality: qualityOf(parameters), exactness, position };
  });
  return best;
}

function qualityOf(parameters: readonly string[]): number {
  const weight = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("q="));
  if (weight === undefined) return 1;
  const quality = Number(weight.slice(2));
  return quality >= 0 && quality <= 1 ? quality : 0;
}
