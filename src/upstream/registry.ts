import type { CompiledRule, Endpoint, UpstreamKey, WeightedUpstream } from "../routing/index.ts";
import { BackendLease, BackendState, backendId } from "./backend-state.ts";
import type { Backend, BackendId, Balancer, Lease, UpstreamStats } from "./types.ts";
import { WeightedTurns } from "./weighted-turn.ts";

interface UpstreamState {
  readonly key: UpstreamKey;
  /** Listed ones and those that leases still hold. */
  readonly backends: Map<BackendId, BackendState>;
  /** Those that take new tunnels, in the source's order. */
  accepting: readonly BackendState[];
  cursor: number;
  /** No rule names it any more. */
  isForsaken: boolean;
}

/**
 * The live backends of all upstreams, with their counts. Outlives every table: a backend that leaves takes no new
 * leases and is forgotten after its last one.
 */
export class UpstreamRegistry implements Balancer {
  readonly #upstreams = new Map<UpstreamKey, UpstreamState>();
  readonly #turns = new WeightedTurns();
  readonly #random: () => number;
  readonly #forgottenListeners: ((backend: Backend) => void)[] = [];

  /** `random` gives numbers in [0, 1); it decides where round robin begins, so that replicas do not march in step. */
  constructor(options: { readonly random: () => number }) {
    this.#random = options.random;
  }

  /** `listener` hears of each backend that is neither listed nor leased any more. */
  onForgotten(listener: (backend: Backend) => void): void {
    this.#forgottenListeners.push(listener);
  }

  /**
   * Takes over the whole list of an upstream's endpoints; null when no rule names the upstream any more. Leases are
   * never touched: a backend that is missing here, not ready or terminating only takes no new ones.
   */
  setEndpoints(key: UpstreamKey, endpoints: readonly Endpoint[] | null): void {
    const state = this.#upstreams.get(key) ?? this.#add(key, endpoints);
    if (state === undefined) return;
    state.isForsaken = endpoints === null;
    for (const backend of state.backends.values()) {
      backend.isListed = false;
      backend.isAccepting = false;
    }
    for (const endpoint of endpoints ?? []) this.#list(state, endpoint);
    state.accepting = [...state.backends.values()].filter((backend) => backend.isAccepting);
    for (const backend of state.backends.values()) this.#forgetIfDone(state, backend);
    this.#dropIfDone(state);
  }

  /** The keys of all upstreams of which something is known. */
  keys(): Iterable<UpstreamKey> {
    return this.#upstreams.keys();
  }

  /**
   * A lease on a backend of one of the rule's upstreams: the upstream by smooth weighted round robin, in it the backend
   * by round robin. The weight of an upstream without a backend to offer goes to the others. Undefined when no backend
   * that was not tried takes tunnels.
   */
  acquire(rule: Pick<CompiledRule, "id" | "backends">, tried: ReadonlySet<BackendId>): Lease | undefined {
    const candidates = rule.backends.filter((ref) => ref.weight > 0 && this.#hasUntried(ref, tried));
    const upstream = this.#turns.next(rule.id, candidates);
    const state = upstream === undefined ? undefined : this.#upstreams.get(upstream);
    const backend = state === undefined ? undefined : nextInTurn(state, tried);
    if (state === undefined || backend === undefined) return undefined;
    return new BackendLease(backend, (idle) => this.#forgetIfDone(state, idle));
  }

  /** A moment's counts of every upstream, for metrics. */
  *stats(): Iterable<UpstreamStats> {
    for (const state of this.#upstreams.values()) {
      let draining = 0;
      let pending = 0;
      let tunnels = 0;
      for (const backend of state.backends.values()) {
        if (!backend.isAccepting && !backend.isIdle) draining++;
        pending += backend.pending;
        tunnels += backend.tunnels;
      }
      yield { upstream: state.key, ready: state.accepting.length, draining, pending, tunnels };
    }
  }

  #add(key: UpstreamKey, endpoints: readonly Endpoint[] | null): UpstreamState | undefined {
    if (endpoints === null) return undefined;
    const cursor = Math.floor(this.#random() * Math.max(1, endpoints.length));
    const state: UpstreamState = { key, backends: new Map(), accepting: [], cursor, isForsaken: false };
    this.#upstreams.set(key, state);
    return state;
  }

  #list(state: UpstreamState, endpoint: Endpoint): void {
    const id = backendId(endpoint);
    let backend = state.backends.get(id);
    if (backend === undefined) {
      backend = new BackendState(state.key, endpoint);
      state.backends.set(id, backend);
    }
    backend.isListed = true;
    backend.isAccepting = endpoint.ready && !endpoint.terminating;
  }

  #hasUntried(ref: WeightedUpstream, tried: ReadonlySet<BackendId>): boolean {
    const accepting = this.#upstreams.get(ref.upstream)?.accepting ?? [];
    if (tried.size === 0) return accepting.length > 0;
    return accepting.some((state) => !tried.has(state.backend.id));
  }

  #forgetIfDone(state: UpstreamState, backend: BackendState): void {
    if (!backend.isListed && backend.isIdle && state.backends.delete(backend.backend.id)) {
      for (const listener of this.#forgottenListeners) listener(backend.backend);
    }
    this.#dropIfDone(state);
  }

  #dropIfDone(state: UpstreamState): void {
    if (state.isForsaken && state.backends.size === 0 && this.#upstreams.get(state.key) === state) {
      this.#upstreams.delete(state.key);
    }
  }
}

function nextInTurn(state: UpstreamState, tried: ReadonlySet<BackendId>): BackendState | undefined {
  const { accepting } = state;
  for (let step = 0; step < accepting.length; step++) {
    const index = (state.cursor + step) % accepting.length;
    const candidate = accepting[index];
    if (candidate !== undefined && !tried.has(candidate.backend.id)) {
      state.cursor = index + 1;
      return candidate;
    }
  }
  return undefined;
}
