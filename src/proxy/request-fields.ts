import { isDigits, isFieldValue } from "./field-syntax.ts";
import { factsOfName, type NameFacts, type ReadField } from "./name-facts.ts";
import type { HeaderPair } from "./types.ts";

/** The fields a decision looks at: every value received under the name, in order. */
export type RequestFields = Readonly<Record<ReadField, readonly string[]>> & {
  /** What the names say, in the order of the headers. */
  readonly names: readonly NameFacts[];
};

type ReadFields =
  | { readonly ok: true; readonly fields: RequestFields }
  | { readonly ok: false; readonly detail: string };

const NOTHING: readonly string[] = [];

/**
 * One walk over the headers: collects what decisions need and refuses what could not be sent on as it came. The parser
 * in front has refused most of it already; this holds for every acceptor to come.
 */
export function readFields(headers: readonly HeaderPair[]): ReadFields {
  const names: NameFacts[] = [];
  const fields = {
    host: NOTHING,
    connection: NOTHING,
    upgrade: NOTHING,
    via: NOTHING,
    contentLength: NOTHING,
    transferEncoding: NOTHING,
    webSocketKey: NOTHING,
    webSocketVersion: NOTHING,
    webSocketProtocol: NOTHING,
    webSocketExtensions: NOTHING,
    names,
  };
  for (const [name, value] of headers) {
    const facts = factsOfName(name);
    if (facts === undefined) return { ok: false, detail: "a header's name is not a token" };
    if (!isFieldValue(value)) return { ok: false, detail: `the value of ${name} holds a control character` };
    names.push(facts);
    const { field } = facts;
    if (field !== undefined) fields[field] = fields[field] === NOTHING ? [value] : [...fields[field], value];
  }
  return { ok: true, fields };
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
