import { STATUS_CODES, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { answerBody } from "./answer-body.ts";
import { answerOf, type ProxyErrorCode } from "./answers.ts";
import { linger, type LingerOptions } from "./linger.ts";
import type { HeaderPair } from "./types.ts";

/** What an answer of ours says. */
export interface RefusalText {
  readonly code: ProxyErrorCode;
  readonly detail: string;
  /** What belongs to the code: `answerHeaders(code)`. */
  readonly headers: readonly HeaderPair[];
  /** The request's Accept header: decides between text and JSON. */
  readonly accept: string | undefined;
}

/** Answers a request that Node's HTTP server still holds; the connection stays open if `shouldKeepAlive` says so. */
export function refuseResponse(response: ServerResponse, text: RefusalText): void {
  const { headers, body } = compose(text, response.shouldKeepAlive ? undefined : "close");
  response.writeHead(answerOf(text.code).status, headers.flat());
  response.end(body, "latin1");
}

/** Answers on a socket that HTTP has let go, ends our half of it and lingers. `wallNow` is for `Date` (RFC 9110 6.6.1). */
export function refuseSocket(
  socket: Socket,
  text: RefusalText,
  options: LingerOptions & { readonly wallNow: () => number },
): void {
  const date: HeaderPair = ["Date", new Date(options.wallNow()).toUTCString()];
  const { headers, body } = compose({ ...text, headers: [date, ...text.headers] }, "close");
  const { status } = answerOf(text.code);
  if (socket.writable) socket.write(formatHead(status, STATUS_CODES[status] ?? "", headers) + body, "latin1");
  linger(socket, options);
}

/** The head of an answer as it goes over the wire; to be written as latin1, which is how Node reads heads. */
export function formatHead(status: number, reason: string, headers: readonly HeaderPair[]): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  return `${head}\r\n`;
}

/** The headers with one more option in Connection, whatever Connection says already. */
export function withConnection(headers: readonly HeaderPair[], option: string): HeaderPair[] {
  const options = headers.filter(isConnection).map(([, value]) => value);
  return [...headers.filter((pair) => !isConnection(pair)), ["Connection", [...options, option].join(", ")]];
}

function isConnection([name]: HeaderPair): boolean {
  return name.toLowerCase() === "connection";
}

function compose(
  text: RefusalText,
  option: "close" | undefined,
): { readonly headers: readonly HeaderPair[]; readonly body: string } {
  // What went wrong inside is for the log only.
  const detail = text.code === "HF_INTERNAL" ? "" : text.detail;
  const { contentType, body } = answerBody(text.code, detail, text.accept);
  const headers: HeaderPair[] = [
    ...text.headers,
    ["content-type", contentType],
    ["content-length", String(body.length)],
    ["cache-control", "no-store"],
    ["holdfast-error", text.code],
  ];
  return { headers: option === undefined ? headers : withConnection(headers, option), body };
}
