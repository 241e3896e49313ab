import type { UpstreamKey, WeightedUpstream } from "../routing/index.ts";
import type { AffinityKeys } from "./affinity-book.ts";
import { Asking, type AskingTerms } from "./asking.ts";
import type { BackendState } from "./backend-state.ts";
import type { Selection, UpstreamState } from "./upstream-state.ts";
import type { WeightedTurns } from "./weighted-turn.ts";

/** A zone's backends that carry more than so many times what all do, on average, get help from the others. */
const NEAR_LOAD = 2;

/** Upstreams that all backends are about to leave come after the others, and those whose backends could not be dialled last. */
const RANKS = ["ready", "lastResort", "undialled"] as const;
type Rank = (typeof RANKS)[number];

export interface SearchGround {
  readonly upstreams: ReadonlyMap<UpstreamKey, UpstreamState>;
  readonly turns: WeightedTurns;
  /** Undefined = nobody is bound. */
  readonly keys: AffinityKeys | undefined;
}

export interface Found {
  readonly state: UpstreamState;
  readonly backend: BackendState;
  /** The request's cookie led there, and was made with the key in force. */
  readonly isBound: boolean;
}

/** The way of one request to its backend: whom its cookie means, else the upstream by weights, and in it by the algorithm. */
export class Search {
  readonly #ground: SearchGround;
  readonly #terms: AskingTerms;
  readonly #askings = new Map<UpstreamKey, Asking>();

  constructor(ground: SearchGround, terms: AskingTerms) {
    this.#ground = ground;
    this.#terms = terms;
  }

  /** Undefined = nobody may take it. */
  find(): Found | undefined {
    return this.#bound() ?? this.#byWeight("ready") ?? this.#byWeight("lastResort") ?? this.#byWeight("undialled");
  }

  /** Somebody would take it. */
  get canBeServed(): boolean {
    return this.#terms.rule.backends.some((ref) => RANKS.some((rank) => this.#offers(ref, rank)));
  }

  #bound(): Found | undefined {
    const { rule, wish } = this.#terms;
    const { keys, upstreams } = this.#ground;
    if (rule.policy.affinity === undefined || keys === undefined || wish.affinity.length === 0) return undefined;
    for (const { upstream, weight } of rule.backends) {
      const state = upstreams.get(upstream);
      // Whoever is closed for having no share any more shall not come back to where it was.
      if (state === undefined || (weight === 0 && rule.policy.drain.onZeroWeight === "Close")) continue;
      for (const value of wish.affinity) {
        const bound = state.affinity.find(value, state.backends, keys);
        if (bound === undefined) continue;
        const { backend, isCurrent } = bound;
        if (this.#keeps(backend) && this.#asking(state).suits(backend)) return { state, backend, isBound: isCurrent };
      }
    }
    return undefined;
  }

  /** A backend that goes keeps its clients until it is gone, unless the rule closes them for that. */
  #keeps(backend: BackendState): boolean {
    return backend.isAccepting || (backend.isLastResort && this.#terms.rule.policy.drain.onBackendRemoval === "Keep");
  }

  #byWeight(rank: Rank): Found | undefined {
    const { rule } = this.#terms;
    const candidates = rule.backends.filter((ref) => this.#offers(ref, rank));
    const upstream = this.#ground.turns.next(rule, candidates);
    const state = upstream === undefined ? undefined : this.#ground.upstreams.get(upstream);
    const backend = state === undefined ? undefined : this.#pick(state);
    return state === undefined || backend === undefined ? undefined : { state, backend, isBound: false };
  }

  #offers({ upstream, weight }: WeightedUpstream, rank: Rank): boolean {
    const state = this.#ground.upstreams.get(upstream);
    if (state === undefined || weight === 0) return false;
    const asking = this.#asking(state);
    return rankOf(state, asking) === rank && asking.canBeServed;
  }

  #pick(state: UpstreamState): BackendState | undefined {
    const { algorithm } = this.#terms.rule.policy.balancing;
    const asking = this.#asking(state);
    // A key has one backend, whichever zone it is asked for in.
    const selections = algorithm !== "ConsistentHash" && isNearEnough(state) ? [state.near, state.all] : [state.all];
    const { gently } = asking;
    const gentle = gently && pickFrom(selections, ({ choices }) => choices.pick(algorithm, gently));
    return gentle ?? pickFrom(selections, ({ choices }) => choices.pick(algorithm, asking));
  }

  #asking(state: UpstreamState): Asking {
    let asking = this.#askings.get(state.key);
    if (asking === undefined) {
      asking = new Asking(state, this.#terms);
      this.#askings.set(state.key, asking);
    }
    return asking;
  }
}

function pickFrom(
  selections: readonly Selection[],
  pick: (selection: Selection) => BackendState | undefined,
): BackendState | undefined {
  for (const selection of selections) {
    const backend = pick(selection);
    if (backend !== undefined) return backend;
  }
  return undefined;
}

function isNearEnough({ near, all }: UpstreamState): boolean {
  const { list, mean } = near.accepting;
  return list.length > 0 && mean <= NEAR_LOAD * all.accepting.mean;
}

function rankOf({ isLastResort }: UpstreamState, { trust }: Asking): Rank {
  if (trust === "anyone") return "undialled";
  return isLastResort ? "lastResort" : "ready";
}
