import type { CompiledEntry, CompiledRule, RetryReason, RuleId } from "../routing/index.ts";
import type { Tunnel, TunnelEnd } from "../relay/index.ts";
import type { Lease } from "../upstream/index.ts";
import type { ProxyErrorCode } from "./answers.ts";

export type HeaderPair = readonly [name: string, value: string];

/** A request's head as it came. */
export interface ReceivedHead {
  readonly method: string;
  /** The request target as received: origin-form or absolute-form. */
  readonly target: string;
  /** Pairs as received, in order, repeated ones included. */
  readonly headers: readonly HeaderPair[];
  /** Of the request as received: `1.0`, `1.1`. An upgrade in a 1.0 request is ignored (RFC 9110 7.8). */
  readonly httpVersion: string;
}

/** All that a decision looks at; no socket, so that HTTP/1.1, HTTP/2 streams and a native acceptor can share it. */
export interface RequestFacts extends ReceivedHead {
  readonly clientAddress: string;
  readonly scheme: "http" | "https";
}

/** The request as it will go to a backend: a head without a socket. */
export interface OutgoingHead {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderPair[];
}

/** Subprotocols and key of the handshake, kept to check the backend's 101 against. */
export interface OfferedHandshake {
  readonly key: string;
  readonly subprotocols: readonly string[];
  readonly extensions: readonly string[];
}

export type Decision =
  | {
      readonly kind: "refuse";
      readonly code: ProxyErrorCode;
      readonly detail: string;
      /** What the answer to this code needs besides what every answer has: `answerHeaders(code)`. */
      readonly headers: readonly HeaderPair[];
      /** What matched before the refusal; undefined = nothing yet. */
      readonly entry: CompiledEntry | undefined;
    }
  | {
      readonly kind: "forward";
      readonly entry: CompiledEntry;
      readonly head: OutgoingHead;
      /** What the backend is chosen by; undefined = the rule hashes on nothing, or the request has nothing of it. */
      readonly hashKey: string | undefined;
      /** What its affinity cookies say; none: the rule binds nobody, or the request has no such cookie. */
      readonly affinity: readonly string[];
    }
  | {
      readonly kind: "tunnel";
      readonly entry: CompiledEntry;
      readonly head: OutgoingHead;
      /** As of a forward. */
      readonly hashKey: string | undefined;
      /** As of a forward. */
      readonly affinity: readonly string[];
      readonly offered: OfferedHandshake;
    };

export interface Decider {
  decide(facts: RequestFacts): Decision | Promise<Decision>;
}

/** What a tunnel carries through its life, for logs and counters. */
export interface TunnelContext {
  readonly id: string;
  readonly route: string;
  readonly rule: string;
  readonly upstream: string;
  /** `address:port`. */
  readonly backend: string;
  readonly clientAddress: string;
}

/** With what is asked of it while it lives. */
export interface LiveContext extends TunnelContext {
  readonly ruleId: RuleId;
  /** Its place on the backend; given back when the tunnel has ended. */
  readonly lease: Pick<Lease, "backend">;
}

/** Told of each tunnel, after all else that concerns it. Each call is cheap and never throws. */
export interface TunnelListener {
  opened(tunnel: Tunnel<LiveContext>): void;
  ended(tunnel: Tunnel<LiveContext>): void;
  /** Rules of live tunnels that say something else of drains, or of their upstreams' weights. */
  rulesChanged(ids: ReadonlySet<RuleId>): void;
}

/** The rules that live tunnels follow: the current one of an id, or the last there was. */
export interface FollowedRules {
  get(id: RuleId): CompiledRule | undefined;
}

/** What the proxy tells about its work. Implemented by telemetry/; every call is cheap and never throws. */
export interface ProxyObserver {
  handshakeSucceeded(context: TunnelContext, durationMs: number): void;
  tunnelEnded(context: TunnelContext, end: TunnelEnd): void;
  /** A request was answered by us and not by a backend. `route` and `rule` are undefined before a match. */
  refused(refusal: {
    readonly code: ProxyErrorCode;
    readonly status: number;
    readonly detail: string;
    readonly route: string | undefined;
    readonly rule: string | undefined;
    readonly clientAddress: string;
    readonly upgrade: boolean;
  }): void;
  /** Something failed that the rule tries again: a further try began, or there was no budget or no other backend for it. */
  triedAgain(further: {
    readonly reason: RetryReason;
    readonly result: "tried" | "no_budget" | "no_backend";
    readonly upgrade: boolean;
  }): void;
  /** A plain request was answered by a backend, or a handshake was refused by it. */
  forwarded(forwarded: {
    readonly route: string;
    readonly rule: string;
    readonly status: number;
    readonly durationMs: number;
    readonly upgrade: boolean;
  }): void;
}
