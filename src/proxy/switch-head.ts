import { hasUpgradeOption } from "./field-names.ts";
import { isFieldValue, isToken, namesToken, trimSpace } from "./field-syntax.ts";
import { valuesOf } from "./response-headers.ts";
import type { HeaderPair } from "./types.ts";

/** The head of a 101 to WebSocket. */
export interface SwitchHead {
  readonly headers: readonly HeaderPair[];
  /** Bytes, the empty line included. */
  readonly size: number;
}

const STATUS = "HTTP/1.1 101";
const END = "\r\n\r\n";
const REASON = /^(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/**
 * Reads the one answer that nearly every handshake gets, which comes in one piece. Takes only what no parser could read
 * in another way. Whatever is unusual, and what is not whole, is undefined and for a full HTTP parser to say, although
 * it may turn out to be a 101 after all: only such a parser knows at once when it no longer can.
 */
export function readSwitchHead(bytes: Buffer, maxHeadBytes: number): SwitchHead | undefined {
  const text = bytes.toString("latin1", 0, maxHeadBytes);
  if (!text.startsWith(STATUS)) return undefined;
  const end = text.indexOf(END);
  if (end === -1) return undefined;
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  if (!REASON.test(statusLine.slice(STATUS.length))) return undefined;
  const headers: HeaderPair[] = [];
  for (const line of lines) {
    const pair = readField(line);
    if (pair === undefined || framesBody(pair[0])) return undefined;
    headers.push(pair);
  }
  const isSwitch =
    namesToken(valuesOf(headers, "upgrade"), "websocket") && hasUpgradeOption(valuesOf(headers, "connection"));
  return isSwitch ? { headers, size: end + END.length } : undefined;
}

/** A field line without folding and without space before its colon (RFC 9112 5). */
function readField(line: string): HeaderPair | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  const value = trimSpace(line.slice(colon + 1));
  return colon > 0 && isToken(name) && isFieldValue(value) ? [name, value] : undefined;
}

/** A 101 has no body (RFC 9112 6.3): whether a length in it is sound, and what it means, is a parser's to say. */
function framesBody(name: string): boolean {
  if (name.length !== "content-length".length && name.length !== "transfer-encoding".length) return false;
  const lower = name.toLowerCase();
  return lower === "content-length" || lower === "transfer-encoding";
}
