import type { Asked } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { type HealthFacts, type Trust, trustIn } from "./trust.ts";
import type { BalancedRule, Wish } from "./types.ts";
import type { UpstreamState } from "./upstream-state.ts";

export interface AskingTerms {
  readonly rule: BalancedRule;
  readonly wish: Wish;
  readonly health: HealthFacts;
  readonly nowMs: number;
  /** 0 to below 1. */
  readonly random: () => number;
}

/** What one request asks of the backends of one upstream. */
export class Asking implements Asked {
  readonly hashKey: string | undefined;
  readonly trust: Trust;
  readonly #terms: AskingTerms;
  readonly #state: UpstreamState;
  /** Nothing stands against any of them. */
  readonly #isUnquestioned: boolean;
  readonly #limit: number;

  constructor(state: UpstreamState, terms: AskingTerms) {
    const { rule, wish, health } = terms;
    const { passive, active } = rule.policy.health;
    this.#state = state;
    this.#terms = terms;
    this.hashKey = wish.hashKey;
    this.#limit = wish.use === "tunnel" ? rule.policy.admission.maxTunnelsPerBackend : 0;
    const isProbed = active !== undefined && health.verdicts.failing(active.key) !== undefined;
    this.#isUnquestioned = !isProbed && (passive.signs.length === 0 || health.ejections.isEmpty);
    this.trust = this.#isUnquestioned ? "well" : trustIn(state, terms);
  }

  /** The same, but with fresh backends held back; undefined = the rule does not ask for that. */
  get gently(): Asked | undefined {
    if (this.#terms.rule.policy.slowStartMs === 0) return undefined;
    return { hashKey: this.hashKey, suits: (backend) => this.suits(backend) && !this.#isHeldBack(backend) };
  }

  suits(backend: BackendState): boolean {
    const { tried } = this.#terms.wish;
    if (tried.size > 0 && tried.has(backend.backend.id)) return false;
    if (this.#limit > 0 && backend.tunnelsToBe >= this.#limit) return false;
    return this.#isUnquestioned || this.#isTrusted(backend);
  }

  /** Some backend of the upstream suits. */
  get canBeServed(): boolean {
    return this.#state.all.accepting.list.some((backend) => this.suits(backend));
  }

  #isTrusted({ backend }: BackendState): boolean {
    if (this.trust === "anyone") return true;
    const { rule, health, nowMs } = this.#terms;
    const { passive, active } = rule.policy.health;
    const sign = passive.signs.length === 0 ? undefined : health.ejections.of(backend.id, nowMs)?.sign;
    if (sign === "DialFailure") return false;
    if (this.trust === "dialable") return true;
    return (
      sign === undefined && (active === undefined || health.verdicts.failing(active.key)?.has(backend.id) !== true)
    );
  }

  /** It has its share already, for as long as it has been ready; of those that are all fresh the oldest is the measure. */
  #isHeldBack(backend: BackendState): boolean {
    const { rule, nowMs, random } = this.#terms;
    const { slowStartMs, balancing } = rule.policy;
    const ageMs = nowMs - backend.readySinceMs;
    if (ageMs >= slowStartMs) return false;
    const oldestMs = Math.min(slowStartMs, nowMs - this.#state.oldestReadyMs);
    const share = oldestMs <= 0 ? 1 : ageMs / oldestMs;
    if (share >= 1) return false;
    if (balancing.algorithm === "RoundRobin") return random() >= share;
    return backend.leases >= Math.max(1, share * this.#state.all.accepting.mean);
  }
}
