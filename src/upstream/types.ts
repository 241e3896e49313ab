import type { CompiledRule, RulePolicy, UpstreamKey } from "../routing/index.ts";
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
  /** Its last dial failed, and it is passed over for a while where there are others. */
  readonly isDoubted: boolean;
  /** Leases of handshakes and plain requests under way. */
  readonly pending: number;
  readonly tunnels: number;
}

/** Told when a backend's tunnels should leave it, why, and when they need not any more (undefined). */
export type DepartureListener = (backend: Backend, departure: Departure | undefined) => void;

/** How a lease ended. Only `dialFailed` says something about the backend's health. */
export type LeaseOutcome = "closed" | "dialFailed" | "refused" | "lost";

/** A place taken on a backend by a handshake, a tunnel or a plain request; it counts from the dial on. */
export interface Lease {
  readonly backend: Backend;
  /** The handshake succeeded: the lease is a tunnel's from now on. */
  opened(): void;
  /** Gives the place back; calling it again does nothing. */
  release(outcome: LeaseOutcome): void;
}

/** What the choice of a backend looks at in a rule. */
export type BalancedRule = Pick<CompiledRule, "id" | "backends"> & { readonly policy: Pick<RulePolicy, "balancing"> };

/** Chooses a backend for a rule. */
export interface Balancer {
  /**
   * @param tried what failed before for this request
   * @param hashKey what a rule that hashes chooses by; not given = the request has nothing of it
   */
  acquire(rule: BalancedRule, tried: ReadonlySet<BackendId>, hashKey?: string): Lease | undefined;
}

/** What the registry knows of one upstream at this moment. */
export interface UpstreamStats {
  readonly upstream: UpstreamKey;
  /** Backends that take new tunnels. */
  readonly ready: number;
  /** Backends that take none and still carry tunnels or requests. */
  readonly draining: number;
  /** Leases of handshakes and plain requests under way. */
  readonly pending: number;
  readonly tunnels: number;
}
