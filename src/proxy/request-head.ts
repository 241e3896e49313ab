import { isFieldValue, isToken } from "./field-syntax.ts";
import type { OutgoingHead } from "./types.ts";

/** Visible characters only: a space or a line end would begin another part of the message (RFC 9112 3.2). */
const TARGET = /^[\x21-\x7e\x80-\xff]+$/;

/**
 * The head of a request as it goes over the wire; to be written as latin1, which is how Node reads heads. The decision
 * makes no head that is not sound; whatever it overlooks is a TypeError here and never reaches a backend.
 */
export function formatRequestHead({ method, target, headers }: OutgoingHead): string {
  if (!isToken(method) || !TARGET.test(target)) throw new TypeError("the request line cannot be written");
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (const [name, value] of headers) {
    if (!isToken(name) || !isFieldValue(value)) throw new TypeError("a header cannot be written");
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}
