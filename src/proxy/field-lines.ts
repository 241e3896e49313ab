import { isFieldValue, isToken, trimSpace } from "./field-syntax.ts";
import type { HeaderPair } from "./types.ts";

/**
 * The field lines of a head that no parser could read in another way: no folding, no space before a colon, nothing that
 * says how a body is framed (whether a length is sound, and what it means, is a full parser's to say). Otherwise
 * undefined (RFC 9112 5).
 */
export function readFieldLines(lines: readonly string[]): HeaderPair[] | undefined {
  const headers: HeaderPair[] = [];
  for (const line of lines) {
    const pair = readField(line);
    if (pair === undefined || framesBody(pair[0])) return undefined;
    headers.push(pair);
  }
  return headers;
}

function readField(line: string): HeaderPair | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  const value = trimSpace(line.slice(colon + 1));
  return colon > 0 && isToken(name) && isFieldValue(value) ? [name, value] : undefined;
}

function framesBody(name: string): boolean {
  if (name.length !== "content-length".length && name.length !== "transfer-encoding".length) return false;
  const lower = name.toLowerCase();
  return lower === "content-length" || lower === "transfer-encoding";
}
