import { readFieldLines } from "./field-lines.ts";
import { asksForWebSocket } from "./handshake-request.ts";
import { valuesOf } from "./raw-headers.ts";
import type { ReceivedHead } from "./types.ts";

/** The head of a request for a WebSocket. */
export interface UpgradeHead {
  readonly head: ReceivedHead;
  /** Bytes, the empty line included. */
  readonly size: number;
}

export interface UpgradeHeadLimits {
  readonly maxHeadBytes: number;
  /** Header lines. */
  readonly maxHeaders: number;
}

const METHOD = "GET ";
const VERSION = " HTTP/1.1";
const END = "\r\n\r\n";
/** The characters of a path and a query (RFC 3986 3.3, 3.4); whatever else parsers let pass is for them to say. */
const TARGET = /^\/[!$-;=?-Z_a-z~]*$/;
/** To Node's parser a second spelling of Connection. */
const PROXY_CONNECTION = "proxy-connection";

/**
 * Reads the one request that nearly every connection begins with, which comes in one piece. Takes only what no parser
 * could read in another way. Whatever is unusual, and what is not whole, is undefined and for a full HTTP parser to say,
 * although it may turn out to be a handshake after all.
 */
export function readUpgradeHead(bytes: Buffer, limits: UpgradeHeadLimits): UpgradeHead | undefined {
  const text = bytes.toString("latin1", 0, limits.maxHeadBytes);
  if (!text.startsWith(METHOD)) return undefined;
  const end = text.indexOf(END);
  if (end === -1) return undefined;
  const [requestLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const target = requestLine.slice(METHOD.length, -VERSION.length);
  if (!requestLine.endsWith(VERSION) || !TARGET.test(target) || lines.length > limits.maxHeaders) return undefined;
  const headers = readFieldLines(lines);
  if (headers === undefined || valuesOf(headers, PROXY_CONNECTION).length > 0) return undefined;
  const fields = { upgrade: valuesOf(headers, "upgrade"), connection: valuesOf(headers, "connection") };
  if (!asksForWebSocket(fields, "1.1")) return undefined;
  return { head: { method: "GET", target, headers, httpVersion: "1.1" }, size: end + END.length };
}
