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

  get isIdle(): boolean {
    return this.pending === 0 && this.tunnels === 0;
  }

  get facts(): BackendFacts {
    const { backend, standing, sinceMs, isCordoned, pending, tunnels } = this;
    return { backend, standing, sinceMs, isCordoned, pending, tunnels };
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
