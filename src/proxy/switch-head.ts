import { readFieldLines } from "./field-lines.ts";
import { hasUpgradeOption } from "./field-names.ts";
import { namesToken } from "./field-syntax.ts";
import { valuesOf } from "./raw-headers.ts";
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
  const headers = readFieldLines(lines);
  if (headers === undefined) return undefined;
  const isSwitch =
    namesToken(valuesOf(headers, "upgrade"), "websocket") && hasUpgradeOption(valuesOf(headers, "connection"));
  return isSwitch ? { headers, size: end + END.length } : undefined;
}
