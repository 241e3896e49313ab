import type { Socket } from "node:net";
import type { FaultCount } from "./frame-faults.ts";
import type { Negotiated } from "./negotiated.ts";
import type { Members } from "./roster.ts";

/** The part of a rule's policy that the relay obeys. Milliseconds; 0 = off. */
export interface TunnelPolicy extends KeepalivePolicy, FramePolicy {
  readonly idleMs: number;
  readonly lifetimeMs: number;
  /** A lifetime ends up to this much of itself earlier, 0 to 100, at random for each tunnel. */
  readonly lifetimeJitterPercent: number;
}

/** How it is found out that a peer is gone that did not say so. Milliseconds; 0 = off. */
export interface KeepalivePolicy {
  /** A client that is silent for so long gets a Ping; up to a tenth earlier, by lot. */
  readonly pingMs: number;
  /** As `pingMs`, of the backend. */
  readonly backendPingMs: number;
  /** From the moment a Ping has left: whoever is silent for so long counts as dead. Above 0. */
  readonly pongTimeoutMs: number;
}

/** What frames may be. Numbers: 0 = any. */
export interface FramePolicy {
  /** Observe: what is against RFC 6455 is counted and passes. Enforce: it ends the tunnel, of either side. */
  readonly strictness: "Observe" | "Enforce";
  /** Payload of all fragments of a message together, of either side. */
  readonly maxMessageBytes: number;
  /** Frames of a message, of either side. */
  readonly maxFragments: number;
  /** Of the client; so are the following two. */
  readonly messagesPerSecond: number;
  /** As read, headers included. */
  readonly bytesPerSecond: number;
  readonly controlFramesPerSecond: number;
  /** What is above a rate waits (Pause), or ends the tunnel (Close). */
  readonly onLimit: "Pause" | "Close";
}

/** A live tunnel follows the current policy of its rule; whoever owns the reference swaps `current`. */
export interface PolicyRef {
  readonly current: TunnelPolicy;
}

/** One end of a tunnel. `early` was read from the socket behind the head of the handshake: it belongs to the tunnel. */
export interface Side {
  readonly socket: Socket;
  readonly early: Uint8Array;
}

export type EndCause =
  /** A Close frame of that side went through and both sides finished. */
  | "client_close"
  | "backend_close"
  /** FIN, RST or an error without a Close frame before it. */
  | "client_lost"
  | "backend_lost"
  /** Silent, and no answer to a Ping. */
  | "client_dead"
  | "backend_dead"
  | "idle"
  | "lifetime"
  /** A frame against RFC 6455, where the policy enforces it. */
  | "protocol_error"
  | "message_too_big"
  | "too_many_fragments"
  /** More messages, bytes or control frames per second than the policy allows. */
  | "rate_limit"
  /** The buffers of all tunnels were full, and this one held most and did not move. */
  | "buffers_full"
  /** The rule's policy takes tunnels off that backend. */
  | "drained"
  /** An operator's hand. */
  | "admin"
  | "proxy_shutdown"
  /** Our own hand cut it without ceremony: a second SIGTERM. */
  | "cut";

/** Ends that wait for a message boundary. */
export type PlannedCause = Extract<EndCause, "idle" | "lifetime" | "drained" | "proxy_shutdown" | "admin">;

/** What a client is told in place of the code of the cause. */
export interface CloseWords {
  /** One that may be sent (RFC 6455 7.4): 1000 to 1003, 1007 to 1014, 3000 to 4999. */
  readonly code: number;
  /** Up to 123 bytes of UTF-8 (RFC 6455 5.5); may be empty. */
  readonly reason: string;
}

export interface TunnelStats {
  /** Up = client to backend. Bytes of the tunnel as read, our own frames never. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly messagesUp: number;
  readonly messagesDown: number;
}

export interface TunnelEnd {
  readonly by: "client" | "backend" | "holdfast";
  readonly cause: EndCause;
  /** The code of the last Close frame that was sent to that side, passed on or ours; undefined = none. */
  readonly codeToClient: number | undefined;
  readonly codeToBackend: number | undefined;
  /** A side ended inside a frame, or we had to: no Close could be written to its peer. */
  readonly midFrame: boolean;
  /** Framing was lost (RFC 6455 5.2): from there on the tunnel was opaque and nothing could be injected. */
  readonly opaque: boolean;
  /** A side did not end TCP in time after all had been said, so we did: what it had not read yet may be lost to it. */
  readonly forced: boolean;
  /** What a client sent that no client may; undefined for nearly all. Nothing is counted behind a Close. */
  readonly clientFaults: FaultCount | undefined;
  readonly backendFaults: FaultCount | undefined;
  /** How long the client took for its last Pong to a Ping of ours, in milliseconds. */
  readonly roundTripMs: number | undefined;
  /** Until its end began; the rest of `durationMs` is what the sides took to part. */
  readonly soundMs: number;
  readonly durationMs: number;
  readonly stats: TunnelStats;
}

/** A client joined to a backend. `Context` is whatever its owner wants to find again at the end. */
export interface Tunnel<Context> {
  readonly context: Context;
  /** When it was joined, on the relay's clock. */
  readonly openedAtMs: number;
  /** When bytes last came from either side, on the relay's clock; as exact as the wheel's tick. */
  readonly lastActiveAtMs: number;
  readonly stats: TunnelStats;
  /** Its end has begun, whoever wanted it. */
  readonly isEnding: boolean;
  /** Ends the tunnel with a Close to both sides at the next boundary; the first cause and its words stay. */
  close(cause: PlannedCause, words?: CloseWords): void;
  /** A planned end that still waits for a boundary waits no longer: a frame that is not whole is cut. */
  hurry(): void;
  /** Destroys both sockets at once. */
  cut(): void;
}

/** Two ends that shall be a tunnel. */
export interface Join<Context> {
  readonly client: Side;
  readonly backend: Side;
  readonly policy: PolicyRef;
  readonly negotiated: Negotiated;
  readonly context: Context;
}

/**
 * Joins two byte streams under a policy. Never re-frames and never copies or touches payload of data frames.
 * Two implementations will stand behind it (TypeScript now, native later) and pass one contract suite.
 */
export interface Relay<Context> {
  join(pair: Join<Context>): Tunnel<Context>;
  /** Live tunnels, closing ones included. */
  readonly tunnels: Members<Tunnel<Context>>;
  /** To be called after `current` of one or several policy references changed: timers are set anew. */
  policiesChanged(): void;
}

/** Told of what happens inside tunnels, for counting. */
export interface RelayObserver {
  /** A Ping of ours has left for that side. */
  pingSent(side: "client" | "backend"): void;
  /** Its Pong came, so many milliseconds later. */
  pingAnswered(side: "client" | "backend", roundTripMs: number): void;
}

/** Called once for each tunnel, when both its sockets are closed. */
export type TunnelEndListener<Context> = (tunnel: Tunnel<Context>, end: TunnelEnd) => void;
