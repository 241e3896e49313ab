import type { Endpoint, UpstreamKey, WeightedUpstream } from "../routing/index.ts";
import { BackendLease, BackendState, backendId } from "./backend-state.ts";
import { Doubts } from "./doubts.ts";
import { departureOf, type ListFacts, listFacts, standingOf } from "./standing.ts";
import type {
  Backend,
  BackendFacts,
  BackendId,
  BalancedRule,
  Balancer,
  DepartureListener,
  Lease,
  UpstreamStats,
} from "./types.ts";
import { UpstreamState } from "./upstream-state.ts";
import { WeightedTurns } from "./weighted-turn.ts";

/**
 * The live backends of all upstreams, with their counts. Outlives every table: a backend that leaves takes no new
 * leases and is forgotten after its last one.
 */
export class UpstreamRegistry implements Balancer {
  readonly #upstreams = new Map<UpstreamKey, UpstreamState>();
  readonly #turns = new WeightedTurns();
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #doubts: Doubts;
  /** Targets that an order took out of the choice, whether or not one of them is here. */
  readonly #cordoned = new Set<string>();
  readonly #forgottenListeners: ((backend: Backend) => void)[] = [];
  readonly #departureListeners: DepartureListener[] = [];

  /**
   * `random` gives numbers in [0, 1): for ties, for two choices, and for where round robin begins, so that replicas do
   * not march in step. `now`: a monotonic clock in milliseconds.
   */
  constructor(options: { readonly random: () => number; readonly now: () => number }) {
    this.#random = options.random;
    this.#now = options.now;
    this.#doubts = new Doubts(options.now);
  }

  /** `listener` hears of each backend that is neither listed nor leased any more. */
  onForgotten(listener: (backend: Backend) => void): void {
    this.#forgottenListeners.push(listener);
  }

  /** `listener` hears why a backend's tunnels should leave it, each time that this changes. */
  onDeparture(listener: DepartureListener): void {
    this.#departureListeners.push(listener);
  }

  /**
   * Takes over the whole list of an upstream's endpoints; null when no rule names the upstream any more. Leases are
   * never touched: a backend that is missing here, not ready or terminating only takes no new ones.
   */
  setEndpoints(key: UpstreamKey, endpoints: readonly Endpoint[] | null): void {
    const state = this.#upstreams.get(key) ?? this.#add(key, endpoints);
    if (state === undefined) return;
    state.isForsaken = endpoints === null;
    for (const backend of state.backends.values()) backend.endpoint = undefined;
    for (const endpoint of endpoints ?? []) this.#list(state, endpoint);
    const facts = listFacts(endpoints ?? []);
    const changed = [...state.backends.values()].filter((backend) => this.#judge(backend, facts));
    state.reviewAccepting();
    // When all of them stand where they stand now: whoever hears of one may look at the others.
    for (const { backend, departure } of changed) this.#tellDeparture(backend, departure);
    for (const backend of state.backends.values()) this.#forgetIfDone(state, backend);
    this.#dropIfDone(state);
  }

  /** Takes the backends of that `address:port` out of the choice in every upstream, those to come included. */
  cordon(target: string): void {
    this.#cordoned.add(target);
    this.#applyCordons();
  }

  /** The counterpart of `cordon`. */
  uncordon(target: string): void {
    this.#cordoned.delete(target);
    this.#applyCordons();
  }

  /** The keys of all upstreams of which something is known. */
  keys(): Iterable<UpstreamKey> {
    return this.#upstreams.keys();
  }

  /**
   * A lease on a backend of one of the rule's upstreams: the upstream by smooth weighted round robin, in it the backend
   * as the rule's `balancing` says. The weight of an upstream without a backend to offer goes to the others. Backends whose
   * last dial failed are passed over while there are others. Undefined when no backend that was not tried takes tunnels.
   */
  acquire(rule: BalancedRule, tried: ReadonlySet<BackendId>, hashKey?: string): Lease | undefined {
    const avoided = this.#doubts.addTo(tried);
    const lease = this.#acquire(rule, avoided, hashKey);
    return lease === undefined && avoided !== tried ? this.#acquire(rule, tried, hashKey) : lease;
  }

  #acquire(rule: BalancedRule, tried: ReadonlySet<BackendId>, hashKey: string | undefined): Lease | undefined {
    const candidates = rule.backends.filter((ref) => ref.weight > 0 && this.#hasUntried(ref, tried));
    const upstream = this.#turns.next(rule, candidates);
    const state = upstream === undefined ? undefined : this.#upstreams.get(upstream);
    const backend = state?.choices.pick(rule.policy.balancing.algorithm, { tried, hashKey });
    if (state === undefined || backend === undefined) return undefined;
    this.#doubts.chosen(backend.backend.id);
    return new BackendLease(backend, state);
  }

  /** How many tunnels a backend carries now. */
  tunnelsOf({ upstream, id }: Pick<Backend, "upstream" | "id">): number {
    return this.#upstreams.get(upstream)?.backends.get(id)?.tunnels ?? 0;
  }

  /** Every backend that is listed or still carries something, at this moment. */
  *backends(): Iterable<BackendFacts> {
    for (const { backends } of this.#upstreams.values()) {
      for (const [id, backend] of backends) yield backend.factsWith({ isDoubted: this.#doubts.has(id) });
    }
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
      yield { upstream: state.key, ready: state.accepting.list.length, draining, pending, tunnels };
    }
  }

  #add(key: UpstreamKey, endpoints: readonly Endpoint[] | null): UpstreamState | undefined {
    if (endpoints === null) return undefined;
    const state = new UpstreamState(key, {
      random: this.#random,
      doubts: this.#doubts,
      onIdle: (backend) => this.#forgetIfDone(state, backend),
    });
    this.#upstreams.set(key, state);
    return state;
  }

  #list(state: UpstreamState, endpoint: Endpoint): void {
    const id = backendId(endpoint);
    let backend = state.backends.get(id);
    if (backend === undefined) {
      backend = new BackendState(state.key, endpoint, this.#now());
      backend.isCordoned = this.#cordoned.has(backend.backend.target);
      state.backends.set(id, backend);
    }
    backend.endpoint = endpoint;
  }

  /** True when it is news whether and why the backend's tunnels should leave it. */
  #judge(backend: BackendState, facts: ListFacts): boolean {
    const standing = standingOf(backend.endpoint, backend.standing, facts);
    if (standing !== backend.standing) {
      backend.standing = standing;
      backend.sinceMs = this.#now();
    }
    const departure = departureOf(standing, facts);
    if (departure === backend.departure) return false;
    backend.departure = departure;
    return true;
  }

  #applyCordons(): void {
    for (const state of this.#upstreams.values()) {
      for (const backend of state.backends.values()) backend.isCordoned = this.#cordoned.has(backend.backend.target);
      state.reviewAccepting();
    }
  }

  #tellDeparture(...said: Parameters<DepartureListener>): void {
    for (const listener of this.#departureListeners) listener(...said);
  }

  #hasUntried(ref: WeightedUpstream, tried: ReadonlySet<BackendId>): boolean {
    const list = this.#upstreams.get(ref.upstream)?.accepting.list ?? [];
    // No further than to the first that was not.
    return list.some((state) => !tried.has(state.backend.id));
  }

  #forgetIfDone(state: UpstreamState, backend: BackendState): void {
    if (backend.endpoint === undefined && backend.isIdle && state.backends.delete(backend.backend.id)) {
      this.#doubts.dispel(backend.backend.id);
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
