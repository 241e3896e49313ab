import type { HeaderEdits } from "../routing/index.ts";
import { isHoldfastName, isHopByHop, nominatedNames } from "./field-names.ts";
import { isDigits, isFieldValue, isToken, namesToken } from "./field-syntax.ts";
import { viaElement } from "./forwarded.ts";
import { editHeaders } from "./header-edits.ts";
import { valuesOf } from "./raw-headers.ts";
import type { HeaderPair } from "./types.ts";

/** How a rule and this instance shape the head of a backend's answer. */
export interface ResponseShape {
  readonly edits: HeaderEdits | undefined;
  /** This instance's name in Via. */
  readonly pseudonym: string;
}

/**
 * The headers of a backend's plain answer as they go to the client. Pairs as received, one character per byte (latin1).
 * Hop-by-hop fields, those that Connection nominates and `holdfast-*` are removed, Via is extended, the rule's edits
 * apply. Content-Length stays where it is single and true; without it the writer frames the body.
 */
export function responseHeaders(status: number, headers: readonly HeaderPair[], shape: ResponseShape): HeaderPair[] {
  const kept = endToEnd(headers);
  // RFC 9110 8.6: a 204 has no length, whatever the backend says.
  const edited = editHeaders(status === 204 ? withoutLength(kept) : kept, shape.edits);
  if (status === 426) edited.push(...upgradeOffer(headers));
  edited.push(["Via", viaElement("1.1", shape.pseudonym)]);
  return edited;
}

/**
 * The headers of a backend's refusal of a handshake (401, 403, 404, 426, redirects ...): those of a plain answer. A 426
 * keeps its Upgrade, without which it would not say to what (RFC 9110 15.5.22).
 */
export function refusalHeaders(status: number, headers: readonly HeaderPair[], shape: ResponseShape): HeaderPair[] {
  return responseHeaders(status, headers, shape);
}

/** Everything but what is of this hop or ours to say. A header that could not be written is left out. */
export function endToEnd(headers: readonly HeaderPair[]): HeaderPair[] {
  const nominated = nominatedNames(valuesOf(headers, "connection"));
  const hasLength = hasOneTrueLength(headers);
  const kept: HeaderPair[] = [];
  let isLengthKept = false;
  for (const pair of headers) {
    const name = pair[0].toLowerCase();
    if (isHopByHop(name) || isHoldfastName(name) || nominated.has(name)) continue;
    if (!isToken(name) || !isFieldValue(pair[1])) continue;
    if (name === "content-length") {
      if (!hasLength || isLengthKept) continue;
      isLengthKept = true;
    }
    kept.push(pair);
  }
  return kept;
}

export function withoutLength(headers: readonly HeaderPair[]): HeaderPair[] {
  return headers.filter(([name]) => name.toLowerCase() !== "content-length");
}

/**
 * Why a backend's final answer cannot be passed on, or undefined: its status is none (RFC 9110 15), or its body is
 * coded for this hop in a way that is not undone here.
 */
export function answerFault(status: number, headers: readonly HeaderPair[]): string | undefined {
  if (status < 200 || status > 999) return "the status is not one of a final answer";
  const coding = valuesOf(headers, "transfer-encoding").join(",").trim().toLowerCase();
  return coding === "" || coding === "chunked" ? undefined : "an unknown transfer coding";
}

/** Not beside a Transfer-Encoding, not with two different values (RFC 9112 6.3). */
function hasOneTrueLength(headers: readonly HeaderPair[]): boolean {
  const lengths = valuesOf(headers, "content-length");
  const [first] = lengths;
  if (first === undefined || !isDigits(first) || lengths.some((length) => length !== first)) return false;
  return valuesOf(headers, "transfer-encoding").length === 0;
}

function upgradeOffer(headers: readonly HeaderPair[]): HeaderPair[] {
  if (!namesToken(valuesOf(headers, "upgrade"), "websocket")) return [];
  return [
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
  ];
}
