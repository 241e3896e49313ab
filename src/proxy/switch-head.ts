import { hasUpgradeOption } from "./field-names.ts";
import { isFieldValue, isToken, namesToken, trimSpace } from "./field-syntax.ts";
import { valuesOf } from "./response-headers.ts";
import type { HeaderPair } from "./types.ts";

/** What the first bytes of a backend's answer are. */
export type SwitchReading =
  /** A 101 to WebSocket; `size` bytes are its head. */
  | { readonly kind: "switched"; readonly headers: readonly HeaderPair[]; readonly size: number }
  /** It may become one. */
  | { readonly kind: "partial" }
  /** Anything else, sound or not: for a full HTTP parser to say. */
  | { readonly kind: "other" };

const PARTIAL: SwitchReading = { kind: "partial" };
const OTHER: SwitchReading = { kind: "other" };

const STATUS = "HTTP/1.1 101";
const END = "\r\n\r\n";
const REASON = /^(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** A line end that is none (RFC 9112 2.2): a strict parser refuses it, and we would wait for ever. */
const BARE_LINE_FEED = /(?:^|[^\r])\n/;

/**
 * Reads the one answer that nearly every handshake gets. Takes only what no parser could read in another way: whatever
 * is unusual is `other`, although it may turn out to be a 101 after all.
 */
export function readSwitchHead(bytes: Buffer, maxHeadBytes: number): SwitchReading {
  const text = bytes.toString("latin1", 0, maxHeadBytes);
  if (!text.startsWith(STATUS)) return STATUS.startsWith(text) ? PARTIAL : OTHER;
  const end = text.indexOf(END);
  if (end === -1) return bytes.length >= maxHeadBytes || BARE_LINE_FEED.test(text) ? OTHER : PARTIAL;
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  if (!REASON.test(statusLine.slice(STATUS.length))) return OTHER;
  const headers: HeaderPair[] = [];
  for (const line of lines) {
    const pair = readField(line);
    if (pair === undefined) return OTHER;
    headers.push(pair);
  }
  const isSwitch =
    namesToken(valuesOf(headers, "upgrade"), "websocket") && hasUpgradeOption(valuesOf(headers, "connection"));
  return isSwitch ? { kind: "switched", headers, size: end + END.length } : OTHER;
}

/** A field line without folding and without space before its colon (RFC 9112 5). */
function readField(line: string): HeaderPair | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  const value = trimSpace(line.slice(colon + 1));
  return colon > 0 && isToken(name) && isFieldValue(value) ? [name, value] : undefined;
}
