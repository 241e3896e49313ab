import type { Endpoint, UpstreamKey } from "../routing/index.ts";
import type { Departure, Standing } from "./standing.ts";
import type { Backend, BackendFacts, BackendId, Lease, LeaseOutcome } from "./types.ts";

/**
 * The identity of an endpoint. Addresses are reused by later Pods, so the Pod's UID is part of it; where no UID is
 * known (a file, DNS) the address alone has to do.
 */
export function backendId(endpoint: Pick<Endpoint, "podUid" | "address" | "port">): BackendId {
  return `${endpoint.podUid ?? ""}|${endpoint.address}|${endpoint.port}` as BackendId;
}

/** `address:port`, and `[address]:port` for IPv6. */
function targetOf({ address, port }: Pick<Endpoint, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Backends that carry the same number of leases, in the chain of all such levels. */
export interface Level {
  leases: number;
  readonly members: BackendState[];
  lower: Level | undefined;
  higher: Level | undefined;
}

/** A backend with its live counts; outlives every table and every list of endpoints while something holds a lease. */
export class BackendState {
  readonly backend: Backend;
  /** As the source has it; undefined = it lists it not. */
  endpoint: Endpoint | undefined = undefined;
  standing: Standing = "serving";
  sinceMs: number;
  departure: Departure | undefined = undefined;
  /** An order took it out of the choice. */
  isCordoned = false;
  pending = 0;
  tunnels = 0;
  /** Where it stands among those that accept, by its leases; kept by LeaseLevels. Undefined = it does not accept. */
  place: { level: Level; index: number } | undefined = undefined;

  constructor(upstream: UpstreamKey, endpoint: Endpoint, nowMs: number) {
    this.sinceMs = nowMs;
    this.backend = Object.freeze({
      id: backendId(endpoint),
      upstream,
      address: endpoint.address,
      port: endpoint.port,
      target: targetOf(endpoint),
      podUid: endpoint.podUid,
    });
  }

  /** It may take new tunnels. */
  get isAccepting(): boolean {
    return this.standing === "serving" && !this.isCordoned;
  }

  /** Handshakes and plain requests under way, and tunnels. */
  get leases(): number {
    return this.pending + this.tunnels;
  }

  get isIdle(): boolean {
    return this.leases === 0;
  }

  factsWith({ isDoubted }: Pick<BackendFacts, "isDoubted">): BackendFacts {
    const { backend, standing, sinceMs, isCordoned, pending, tunnels } = this;
    return { backend, standing, sinceMs, isCordoned, isDoubted, pending, tunnels };
  }
}

/** Told of each lease right after it was counted, and right after it was not counted any more. */
export interface LeaseKeeper {
  raised(backend: BackendState): void;
  lowered(backend: BackendState): void;
  /** It could be dialled, or could not. */
  answered(backend: BackendState): void;
  failed(backend: BackendState): void;
}

/** Counts itself on its backend from the moment it is made until it is released. */
export class BackendLease implements Lease {
  readonly #state: BackendState;
  readonly #keeper: LeaseKeeper;
  #phase: "pending" | "tunnel" | "released" = "pending";

  constructor(state: BackendState, keeper: LeaseKeeper) {
    this.#state = state;
    this.#keeper = keeper;
    state.pending++;
    keeper.raised(state);
  }

  get backend(): Backend {
    return this.#state.backend;
  }

  opened(): void {
    if (this.#phase !== "pending") return;
    this.#phase = "tunnel";
    this.#state.pending--;
    this.#state.tunnels++;
    this.#keeper.answered(this.#state);
  }

  release(outcome: LeaseOutcome): void {
    if (this.#phase === "released") return;
    if (this.#phase === "pending") this.#state.pending--;
    else this.#state.tunnels--;
    if (outcome === "dialFailed") this.#keeper.failed(this.#state);
    else if (this.#phase === "pending" && outcome !== "lost") this.#keeper.answered(this.#state);
    this.#phase = "released";
    this.#keeper.lowered(this.#state);
  }
}
