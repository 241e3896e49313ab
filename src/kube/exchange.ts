import {
  type Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { type Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { After } from "../controller/index.ts";
import type { Access } from "./access.ts";
import { Silence } from "./silence.ts";
import { ApiError } from "./types.ts";

export interface Exchange {
  readonly access: Access;
  readonly agent: HttpAgent | HttpsAgent;
  readonly method: string;
  /** With its query, from the root that the server's address names. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Given up when for so long no byte comes, the first one included; undefined = never. */
  readonly silenceMs: number | undefined;
  /** Given up after so long, however much comes; undefined = never. */
  readonly totalMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly after: After;
  readonly now: () => number;
  readonly onHead: (head: Head) => void;
  /** May throw: the exchange ends with that. */
  readonly onChunk: (chunk: Buffer) => void;
}

export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** `reason` of an ApiError: a kept connection that the server closed just as we wrote on it. Nothing was answered. */
export const STALE_CONNECTION = "StaleConnection";
/** Dead peers are found by TCP after this and ten probes of a second each. */
const TCP_KEEPALIVE_MS = 15_000;

/**
 * One request and its answer, streamed. Resolves after the last byte of a whole answer; rejects with an
 * ApiError, or with what `onChunk` threw.
 */
export function exchange(options: Exchange): Promise<Head> {
  const { access, silenceMs, totalMs, signal, after, now } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(calledOff());
    const request = open(options);
    let head: Head | undefined;
    const settle = (error: unknown): void => {
      silence?.stop();
      cancelTotal();
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined && head !== undefined) return resolve(head);
      reject(error ?? cutOff(access));
      request.destroy();
    };
    const onAbort = (): void => settle(calledOff());
    const tooLate = (ms: number, what: string): void =>
      settle(
        new ApiError({ status: 0, reason: "Timeout", message: `${access.server.origin} ${what} for ${ms / 1000} s` }),
      );
    const silence =
      silenceMs === undefined
        ? undefined
        : new Silence({ silenceMs, after, now, onSilence: () => tooLate(silenceMs, "has said nothing") });
    const cancelTotal =
      totalMs === undefined ? () => {} : after(totalMs, () => tooLate(totalMs, "has not answered whole"));
    signal?.addEventListener("abort", onAbort);
    request.on("error", (error) => settle(unreachable(access, error, request.reusedSocket && head === undefined)));
    request.on("socket", (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
    request.on("response", (response: IncomingMessage) => {
      silence?.heard();
      head = { status: response.statusCode ?? 0, headers: response.headers };
      response.on("error", (error) => settle(unreachable(access, error, false)));
      response.on("close", () => settle(response.complete ? undefined : cutOff(access)));
      response.on("data", (chunk: Buffer) => {
        silence?.heard();
        try {
          options.onChunk(chunk);
        } catch (error) {
          settle(error);
        }
      });
      options.onHead(head);
    });
    request.end(options.body);
  });
}

function open({ access, agent, method, path, headers, body }: Exchange): ReturnType<typeof requestHttp> {
  const { server } = access;
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const options = {
    agent,
    method,
    protocol: server.protocol,
    // URL keeps the brackets of an IPv6 address, net wants none.
    host: server.hostname.replace(/^\[|\]$/g, ""),
    port: server.port,
    path: `${server.pathname.replace(/\/$/, "")}${path}`,
    headers: { ...headers, ...access.headers, ...length },
  };
  return server.protocol === "http:" ? requestHttp(options) : requestHttps(options);
}

function calledOff(): ApiError {
  return new ApiError({ status: 0, reason: "Aborted", message: "called off" });
}

function cutOff({ server }: Access): ApiError {
  return new ApiError({ status: 0, reason: "CutOff", message: `${server.origin} ended the answer before its end` });
}

function unreachable({ server }: Access, error: Error, isStale: boolean): ApiError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const reason = isStale && (code === "ECONNRESET" || code === "EPIPE") ? STALE_CONNECTION : "Unreachable";
  const words = error.message === "" ? code : error.message;
  return new ApiError({ status: 0, reason, message: `${server.origin} cannot be reached: ${words}`, cause: error });
}
