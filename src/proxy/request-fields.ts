import { isDigits, isFieldValue, isToken } from "./field-syntax.ts";
import type { HeaderPair } from "./types.ts";

/** The fields a decision looks at: every value received under the name, in order. */
export interface RequestFields {
  /** Lower-case names, in the order of the headers. */
  readonly names: readonly string[];
  readonly host: readonly string[];
  readonly connection: readonly string[];
  readonly upgrade: readonly string[];
  readonly via: readonly string[];
  readonly contentLength: readonly string[];
  readonly transferEncoding: readonly string[];
  readonly webSocketKey: readonly string[];
  readonly webSocketVersion: readonly string[];
  readonly webSocketProtocol: readonly string[];
  readonly webSocketExtensions: readonly string[];
}

type ReadFields =
  | { readonly ok: true; readonly fields: RequestFields }
  | { readonly ok: false; readonly detail: string };

const FIELD_OF_NAME: ReadonlyMap<string, Exclude<keyof RequestFields, "names">> = new Map([
  ["host", "host"],
  ["connection", "connection"],
  ["upgrade", "upgrade"],
  ["via", "via"],
  ["content-length", "contentLength"],
  ["transfer-encoding", "transferEncoding"],
  ["sec-websocket-key", "webSocketKey"],
  ["sec-websocket-version", "webSocketVersion"],
  ["sec-websocket-protocol", "webSocketProtocol"],
  ["sec-websocket-extensions", "webSocketExtensions"],
] as const);

/**
 * One walk over the headers: collects what decisions need and refuses what could not be sent on as it came. The parser
 * in front has refused most of it already; this holds for every acceptor to come.
 */
export function readFields(headers: readonly HeaderPair[]): ReadFields {
  const names: string[] = [];
  const fields = {
    host: [] as string[],
    connection: [] as string[],
    upgrade: [] as string[],
    via: [] as string[],
    contentLength: [] as string[],
    transferEncoding: [] as string[],
    webSocketKey: [] as string[],
    webSocketVersion: [] as string[],
    webSocketProtocol: [] as string[],
    webSocketExtensions: [] as string[],
  };
  for (const [name, value] of headers) {
    if (!isToken(name)) return { ok: false, detail: "a header's name is not a token" };
    if (!isFieldValue(value)) return { ok: false, detail: `the value of ${name} holds a control character` };
    const lowerName = name.toLowerCase();
    names.push(lowerName);
    const field = FIELD_OF_NAME.get(lowerName);
    if (field !== undefined) fields[field].push(value);
  }
  return { ok: true, fields: { names, ...fields } };
}

/**
 * What is wrong with how the request's body is framed, or undefined. Stricter than RFC 9112 6.3 where that leaves a
 * choice: a repeated Content-Length is refused even when the values agree.
 */
export function framingFault(fields: RequestFields, httpVersion: string): string | undefined {
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding.length > 0) {
    if (contentLength.length > 0) return "Content-Length and Transfer-Encoding in one request";
    if (httpVersion === "1.0") return "Transfer-Encoding in an HTTP/1.0 request";
    if (transferEncoding.length > 1 || transferEncoding[0]?.toLowerCase() !== "chunked") {
      return "a Transfer-Encoding other than chunked";
    }
  }
  if (contentLength.length > 1) return "more than one Content-Length";
  const [length] = contentLength;
  if (length !== undefined && !(isDigits(length) && Number.isSafeInteger(Number(length)))) {
    return "Content-Length is not a number";
  }
  return undefined;
}
