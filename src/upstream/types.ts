import type { CompiledRule, HealthSign, RulePolicy, UpstreamKey } from "../routing/index.ts";
import type { Departure, Standing } from "./standing.ts";

declare const brand: unique symbol;
/** `podUid|address|port`: what a backend is known by over every change. */
export type BackendId = string & { readonly [brand]: "BackendId" };

export interface Backend {
  readonly id: BackendId;
  readonly upstream: UpstreamKey;
  readonly address: string;
  readonly port: number;
  /** `address:port`, `[address]:port` for IPv6: what logs, metrics and operators call it. */
  readonly target: string;
  /** undefined = nobody says. */
  readonly podUid: string | undefined;
}

/** A backend at this moment. */
export interface BackendFacts {
  readonly backend: Backend;
  readonly standing: Standing;
  /** When it came to stand so, on the registry's clock. */
  readonly sinceMs: number;
  /** An order took it out of the choice. */
  readonly isCordoned: boolean;
  /** It is passed over where there are others. */
  readonly out: BackendOut | undefined;
  /** It carries as many tunnels as some rule that leads to it lets it. */
  readonly isFull: boolean;
  /** Leases of handshakes and plain requests under way. */
  readonly pending: number;
  readonly tunnels: number;
}

/** Why a backend is passed over although the source says that it is ready. */
export interface BackendOut {
  /** Probe: what we ask it, it fails. */
  readonly why: HealthSign | "Probe";
  /** On the registry's clock; undefined = until a probe goes well. */
  readonly untilMs: number | undefined;
}

/**
 * What there is to say of a backend, in one word: whether it takes new tunnels, and if not, why. Before anything of ours comes what the
 * source says. full, ejected and failing ones are passed over while there are others (ejected: by what was seen of its tunnels;
 * failing: by probes); cordoned ones are out by an order.
 */
export type BackendWord =
  | "accepting"
  | "full"
  | "ejected"
  | "failing"
  | "cordoned"
  | "unready"
  | "terminating"
  | "vanished"
  | "unlisted";

/** Told when a backend's tunnels should leave it, why, and when they need not any more (undefined). */
export type DepartureListener = (backend: Backend, departure: Departure | undefined) => void;

/**
 * How a lease ended. closed: as it should, or by the client. dialFailed: nothing of the request was written. badAnswer: a
 * handshake was answered by what is no answer, or by the end of the connection. endedEarly: the backend ended the tunnel without a
 * Close right after its 101. refused: the backend said no. lost: anything else; says nothing about the backend.
 */
export type LeaseOutcome = "closed" | "dialFailed" | "badAnswer" | "endedEarly" | "refused" | "lost";

/** What binds a client to a backend. */
export interface AffinityMark {
  /** Of the cookie. */
  readonly value: string;
  /** The request had another one, or none. */
  readonly isNews: boolean;
}

/** A place taken on a backend by a handshake, a tunnel or a plain request; it counts from the dial on. */
export interface Lease {
  readonly backend: Backend;
  /** Undefined = the rule binds nobody. */
  readonly affinity: AffinityMark | undefined;
  /** The handshake succeeded: the lease is a tunnel's from now on. */
  opened(): void;
  /** Gives the place back; calling it again does nothing. */
  release(outcome: LeaseOutcome): void;
}

/** What the choice of a backend looks at in a rule. */
export type BalancedRule = Pick<CompiledRule, "id" | "backends"> & {
  readonly policy: Pick<RulePolicy, "balancing" | "slowStartMs" | "affinity" | "health" | "admission" | "drain">;
};

/** What a request asks of the choice. */
export interface Wish {
  /** Limits of tunnels are for handshakes; `request` = a plain one. */
  readonly use: "tunnel" | "request";
  /** Backends that failed for this request already: never chosen. */
  readonly tried: ReadonlySet<BackendId>;
  /** What a rule that hashes chooses by; undefined = the request has nothing of it. */
  readonly hashKey: string | undefined;
  /** What the request's affinity cookies say, in order; none: it has no such cookie. */
  readonly affinity: readonly string[];
}

/** Whether a handshake that comes now would find a backend: all that there are may be full, or there may be none. */
export type Room = "room" | "full" | "none";

/** Chooses a backend for a rule. */
export interface Balancer {
  /** Undefined when no backend that was not tried may take it. */
  acquire(rule: BalancedRule, wish: Wish): Lease | undefined;
  roomFor(rule: BalancedRule): Room;
  /** `listener` hears that one of the upstream's backends may take more than a moment ago: it came, or gave a place back. */
  onRoom(listener: (upstream: UpstreamKey) => void): void;
}

/** What the registry knows of one upstream at this moment. */
export interface UpstreamStats {
  readonly upstream: UpstreamKey;
  /** Backends that take new tunnels as far as the source and orders say. */
  readonly ready: number;
  /** Backends that take none and still carry tunnels or requests. */
  readonly draining: number;
  /** Backends that are passed over, by why; only words that some have. */
  readonly out: ReadonlyMap<Exclude<BackendWord, "accepting">, number>;
  /** Leases of handshakes and plain requests under way. */
  readonly pending: number;
  readonly tunnels: number;
}
