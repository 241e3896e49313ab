import type { Endpoint, UpstreamKey } from "../routing/index.ts";
import type { Backend, BackendId, Lease, LeaseOutcome } from "./types.ts";

/**
 * The identity of an endpoint. Addresses are reused by later Pods, so the Pod's UID is part of it; where no UID is
 * known (a file, DNS) the address alone has to do.
 */
export function backendId(endpoint: Pick<Endpoint, "podUid" | "address" | "port">): BackendId {
  return `${endpoint.podUid ?? ""}|${endpoint.address}|${endpoint.port}` as BackendId;
}

/** A backend with its live counts; outlives every table and every list of endpoints while something holds a lease. */
export class BackendState {
  readonly backend: Backend;
  /** The source lists it. */
  isListed = true;
  /** It may take new tunnels: listed, ready and not terminating. */
  isAccepting = false;
  pending = 0;
  tunnels = 0;

  constructor(upstream: UpstreamKey, endpoint: Endpoint) {
    this.backend = Object.freeze({
      id: backendId(endpoint),
      upstream,
      address: endpoint.address,
      port: endpoint.port,
    });
  }

  get isIdle(): boolean {
    return this.pending === 0 && this.tunnels === 0;
  }
}

/** Counts itself on its backend from the moment it is made until it is released. */
export class BackendLease implements Lease {
  readonly #state: BackendState;
  readonly #onIdle: (state: BackendState) => void;
  #phase: "pending" | "tunnel" | "released" = "pending";

  /** `onIdle` is called when this release leaves the backend without any lease. */
  constructor(state: BackendState, onIdle: (state: BackendState) => void) {
    this.#state = state;
    this.#onIdle = onIdle;
    state.pending++;
  }

  get backend(): Backend {
    return this.#state.backend;
  }

  opened(): void {
    if (this.#phase !== "pending") return;
    this.#phase = "tunnel";
    this.#state.pending--;
    this.#state.tunnels++;
  }

  /** The outcome is for passive health, which comes with the balancing of tunnels; counts do not depend on it. */
  release(_outcome: LeaseOutcome): void {
    if (this.#phase === "released") return;
    if (this.#phase === "pending") this.#state.pending--;
    else this.#state.tunnels--;
    this.#phase = "released";
    if (this.#state.isIdle) this.#onIdle(this.#state);
  }
}
