import type { IncomingMessage } from "node:http";
import type { TimerWheel } from "../relay/index.ts";
import type { CompiledRule } from "../routing/index.ts";
import type { Balancer } from "../upstream/index.ts";
import { answerOf, type ProxyErrorCode } from "./answers.ts";
import type { ForbiddenCheck } from "./forbidden-targets.ts";
import { pairsOf } from "./raw-headers.ts";
import type { Decider, ProxyObserver, ReceivedHead, RequestFacts } from "./types.ts";

/** Bounds of one listener. Milliseconds and bytes. */
export interface ProxyLimits {
  /** From the connection, or from a head's first byte, to the complete head. Default 10 s. */
  readonly headerTimeoutMs: number;
  /** How long a connection may rest between two requests. Default 65 s: longer than most balancers in front. */
  readonly keepAliveTimeoutMs: number;
  /** A request's head, and a backend's. Default 32 KiB. */
  readonly maxHeadBytes: number;
  /** Header lines of one request: short ones cost more memory than their bytes say. Default 500. */
  readonly maxHeaders: number;
  /** One connection attempt; a handshake's attempts share its deadline besides. Default 3 s. */
  readonly connectTimeoutMs: number;
  /** What is kept of a client's bytes until its handshake is answered; then reading rests. Default 64 KiB. */
  readonly maxEarlyBytes: number;
  /** How long the peer's end of a connection is waited for after ours. Default 5 s. */
  readonly lingerMs: number;
  /** How long a client may take to read the end of its last answer, or a backend's refusal of its handshake. Default 60 s. */
  readonly slowReaderMs: number;
}

export const DEFAULT_LIMITS: ProxyLimits = {
  headerTimeoutMs: 10_000,
  keepAliveTimeoutMs: 65_000,
  maxHeadBytes: 32 * 1024,
  maxHeaders: 500,
  connectTimeoutMs: 3_000,
  maxEarlyBytes: 64 * 1024,
  lingerMs: 5_000,
  slowReaderMs: 60_000,
};

/** What every request needs on its way; one for the listener's life. */
export interface DataPath {
  readonly decider: Decider;
  readonly balancer: Balancer;
  readonly wheel: TimerWheel;
  readonly observer: ProxyObserver;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** The time of day, in milliseconds since 1970, for `Date`. */
  readonly wallNow: () => number;
  readonly limits: ProxyLimits;
  /** This instance's name in Via. */
  readonly pseudonym: string;
  /** Asked before each dial; undefined = every target is allowed. */
  readonly isForbidden: ForbiddenCheck | undefined;
}

export interface FailedRequest {
  readonly code: ProxyErrorCode;
  readonly detail: string;
  /** What had matched; undefined = nothing yet. */
  readonly rule: CompiledRule | undefined;
  readonly clientAddress: string;
  readonly isUpgrade: boolean;
}

export function tellRefused(observer: ProxyObserver, failed: FailedRequest): void {
  observer.refused({
    code: failed.code,
    status: answerOf(failed.code).status,
    detail: failed.detail,
    route: failed.rule?.route,
    rule: failed.rule?.rule,
    clientAddress: failed.clientAddress,
    upgrade: failed.isUpgrade,
  });
}

/** What Node's parser has read of a request. */
export function receivedHead(request: IncomingMessage): ReceivedHead {
  const { method = "", url = "", rawHeaders, httpVersion } = request;
  return { method, target: url, headers: pairsOf(rawHeaders), httpVersion };
}

/** What a decision needs to know of a request. */
export function factsOf({ method, target, headers, httpVersion }: ReceivedHead, clientAddress: string): RequestFacts {
  return { method, target, headers, clientAddress, scheme: "http", httpVersion };
}

/** A status line's reason, or "" where it holds what may not be written (RFC 9112 4). */
export function safeReason(reason: string | undefined): string {
  return reason !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(reason) ? reason : "";
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
