import type { Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import type { AffinityKeys } from "./affinity-book.ts";
import { BackendLease } from "./backend-lease.ts";
import { countsOf, factsIn } from "./backend-facts.ts";
import { BackendState, backendId } from "./backend-state.ts";
import { Ejections } from "./ejections.ts";
import { ProbeVerdicts } from "./probe-verdicts.ts";
import { type Found, Search } from "./search.ts";
import { departureOf, type ListFacts, listFacts, standingOf } from "./standing.ts";
import type {
  AffinityMark,
  Backend,
  BackendFacts,
  BalancedRule,
  Balancer,
  DepartureListener,
  Lease,
  Room,
  UpstreamStats,
  Wish,
} from "./types.ts";
import type { HealthFacts } from "./trust.ts";
import { UpstreamState } from "./upstream-state.ts";
import { WeightedTurns } from "./weighted-turn.ts";

export interface UpstreamRegistryOptions {
  /** 0 to below 1: for ties, for two choices, and for where round robin begins, so that replicas do not march in step. */
  readonly random: () => number;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** The zone of this process, for endpoints that say for whom they are meant; not given = they are all alike. */
  readonly zone?: string | undefined;
  /** Asked for each request of a rule with affinity; undefined = nobody is bound. */
  readonly affinityKeys?: () => AffinityKeys | undefined;
}

/**
 * The live backends of all upstreams, with their counts. Outlives every table: a backend that leaves takes no new
 * leases and is forgotten after its last one.
 */
export class UpstreamRegistry implements Balancer {
  readonly #upstreams = new Map<UpstreamKey, UpstreamState>();
  readonly #turns = new WeightedTurns();
  readonly #options: UpstreamRegistryOptions;
  readonly #health: HealthFacts;
  /** Targets that an order took out of the choice, whether or not one of them is here. */
  readonly #cordoned = new Set<string>();
  readonly #forgottenListeners: ((backend: Backend) => void)[] = [];
  readonly #departureListeners: DepartureListener[] = [];
  readonly #listListeners: ((upstream: UpstreamKey) => void)[] = [];
  readonly #roomListeners: ((upstream: UpstreamKey) => void)[] = [];

  constructor(options: UpstreamRegistryOptions) {
    this.#options = options;
    this.#health = { ejections: new Ejections(options.now), verdicts: new ProbeVerdicts() };
  }

  /** Where whoever probes backends says what was found. */
  get verdicts(): Pick<ProbeVerdicts, "set"> {
    return this.#health.verdicts;
  }

  /** `listener` hears each time that an upstream's endpoints were taken over. */
  onList(listener: (upstream: UpstreamKey) => void): void {
    this.#listListeners.push(listener);
  }

  onRoom(listener: (upstream: UpstreamKey) => void): void {
    this.#roomListeners.push(listener);
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
    state.hasBeenListed = true;
    state.reviewAccepting();
    // When all of them stand where they stand now: whoever hears of one may look at the others.
    for (const { backend, departure } of changed) this.#tellDeparture(backend, departure);
    for (const backend of state.backends.values()) this.#forgetIfDone(state, backend);
    this.#dropIfDone(state);
    for (const listener of this.#listListeners) listener(key);
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
   * A lease on a backend of one of the rule's upstreams: whom the request's cookie means, if the rule binds clients; else the
   * upstream by smooth weighted round robin, in it the backend as the rule's `balancing` says. The weight of an upstream without
   * a backend to offer goes to the others. Undefined when nobody who was not tried takes it.
   */
  acquire(rule: BalancedRule, wish: Wish): Lease | undefined {
    const { random, now, affinityKeys } = this.#options;
    const { policy } = rule;
    const keys = policy.affinity === undefined ? undefined : affinityKeys?.();
    this.#noteLimit(rule);
    const ground = { upstreams: this.#upstreams, turns: this.#turns, keys };
    const found = new Search(ground, { rule, wish, health: this.#health, nowMs: now(), random }).find();
    if (found === undefined) return undefined;
    if (!this.#health.ejections.isEmpty) this.#health.ejections.chosen(found.backend.backend.id);
    return new BackendLease(found.backend, found.state, { use: wish.use, policy, affinity: markOf(found, keys) });
  }

  roomFor(rule: BalancedRule): Room {
    const hasBackends = rule.backends.some(
      ({ upstream, weight }) => weight > 0 && (this.#upstreams.get(upstream)?.all.accepting.list.length ?? 0) > 0,
    );
    if (!hasBackends) return "none";
    const wish: Wish = { use: "tunnel", tried: new Set(), hashKey: undefined, affinity: [] };
    const { random, now } = this.#options;
    const ground = { upstreams: this.#upstreams, turns: this.#turns, keys: undefined };
    const search = new Search(ground, { rule, wish, health: this.#health, nowMs: now(), random });
    return search.canBeServed ? "room" : "full";
  }

  /** These rules are in no table any more. */
  forgetRules(ids: readonly RuleId[]): void {
    for (const { limits } of this.#upstreams.values()) {
      if (limits.size > 0) for (const id of ids) limits.delete(id);
    }
  }

  /** Those of an upstream that the source says are ready, whatever else stands against them. */
  ready(upstream: UpstreamKey): readonly Backend[] {
    const known = [...(this.#upstreams.get(upstream)?.backends.values() ?? [])];
    return known.filter(({ standing }) => standing === "serving").map(({ backend }) => backend);
  }

  /** How many tunnels a backend carries now. */
  tunnelsOf({ upstream, id }: Pick<Backend, "upstream" | "id">): number {
    return this.#upstreams.get(upstream)?.backends.get(id)?.tunnels ?? 0;
  }

  /** Every backend that is listed or still carries something, at this moment. */
  *backends(): Iterable<BackendFacts> {
    for (const state of this.#upstreams.values()) yield* factsIn(state, this.#health);
  }

  /** Every backend of one upstream. */
  backendsOf(upstream: UpstreamKey): Iterable<BackendFacts> {
    const state = this.#upstreams.get(upstream);
    return state === undefined ? [] : factsIn(state, this.#health);
  }

  /** A moment's counts of every upstream, for metrics. */
  *stats(): Iterable<UpstreamStats> {
    for (const state of this.#upstreams.values()) {
      const ready = state.isLastResort ? 0 : state.all.accepting.list.length;
      yield { upstream: state.key, ready, ...countsOf(factsIn(state, this.#health)) };
    }
  }

  #add(key: UpstreamKey, endpoints: readonly Endpoint[] | null): UpstreamState | undefined {
    if (endpoints === null) return undefined;
    const state = new UpstreamState(key, {
      random: this.#options.random,
      ejections: this.#health.ejections,
      now: this.#options.now,
      zone: this.#options.zone,
      onIdle: (backend) => this.#forgetIfDone(state, backend),
      onRoom: (upstream) => {
        for (const listener of this.#roomListeners) listener(upstream);
      },
    });
    this.#upstreams.set(key, state);
    return state;
  }

  #list(state: UpstreamState, endpoint: Endpoint): void {
    const id = backendId(endpoint);
    let backend = state.backends.get(id);
    if (backend === undefined) {
      backend = new BackendState(state.key, endpoint, this.#options.now());
      backend.isCordoned = this.#cordoned.has(backend.backend.target);
      if (state.hasBeenListed) backend.readySinceMs = this.#options.now();
      state.backends.set(id, backend);
    }
    backend.endpoint = endpoint;
  }

  /** True when it is news whether and why the backend's tunnels should leave it. */
  #judge(backend: BackendState, facts: ListFacts): boolean {
    const standing = standingOf(backend.endpoint, backend.standing, facts);
    if (standing !== backend.standing) {
      backend.standing = standing;
      backend.sinceMs = this.#options.now();
      if (standing === "serving") backend.readySinceMs = backend.sinceMs;
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

  #noteLimit({ id, backends, policy }: BalancedRule): void {
    const { maxTunnelsPerBackend: limit } = policy.admission;
    for (const { upstream } of backends) {
      const limits = this.#upstreams.get(upstream)?.limits;
      if (limits === undefined || (limits.get(id) ?? 0) === limit) continue;
      if (limit === 0) limits.delete(id);
      else limits.set(id, limit);
    }
  }

  #forgetIfDone(state: UpstreamState, backend: BackendState): void {
    if (backend.endpoint === undefined && backend.isIdle && state.backends.delete(backend.backend.id)) {
      this.#health.ejections.forget(backend.backend.id);
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

/** What the client is to be given; undefined = the rule binds nobody. */
function markOf({ state, backend, isBound }: Found, keys: AffinityKeys | undefined): AffinityMark | undefined {
  return keys === undefined ? undefined : { value: state.affinity.valueOf(backend, keys), isNews: !isBound };
}
