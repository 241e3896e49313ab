import type { BackendState } from "./backend-state.ts";
import type { Ejections } from "./ejections.ts";
import type { ProbeVerdicts } from "./probe-verdicts.ts";
import type { BackendId, BalancedRule } from "./types.ts";
import type { UpstreamState } from "./upstream-state.ts";

/** What is known of backends beside what the source says. */
export interface HealthFacts {
  readonly ejections: Ejections;
  readonly verdicts: ProbeVerdicts;
}

/**
 * Whom health leaves to choose from. well: nothing stands against them. dialable: too few would be left, so only failed dials
 * count. anyone: none could be dialled.
 */
export type Trust = "well" | "dialable" | "anyone";

export interface TrustTerms {
  readonly rule: Pick<BalancedRule, "policy">;
  readonly health: HealthFacts;
  readonly nowMs: number;
}

export function trustIn(state: UpstreamState, terms: TrustTerms): Trust {
  const ejected = ejectedIn(state, terms);
  const undialled = ejected.filter(({ sign }) => sign === "DialFailure").length;
  const count = state.all.accepting.list.length;
  const well = count - ejected.length - failingBesides(state, terms);
  if (well > 0 && well * 100 >= terms.rule.policy.health.panicPercent * count) return "well";
  return undialled < count ? "dialable" : "anyone";
}

function ejectedIn(state: UpstreamState, { rule, health, nowMs }: TrustTerms): ReturnType<typeof health.ejections.all> {
  if (rule.policy.health.passive.signs.length === 0) return [];
  return health.ejections.all(nowMs).filter(({ id }) => accepts(state, id));
}

/** Those that fail the rule's probe, and are not ejected as well. */
function failingBesides(state: UpstreamState, { rule, health, nowMs }: TrustTerms): number {
  const { active, passive } = rule.policy.health;
  const failing = active === undefined ? undefined : health.verdicts.failing(active.key);
  let count = 0;
  for (const id of failing ?? []) {
    const isEjected = passive.signs.length > 0 && health.ejections.of(id, nowMs) !== undefined;
    if (!isEjected && accepts(state, id)) count++;
  }
  return count;
}

function accepts({ backends, all }: UpstreamState, id: BackendId): boolean {
  const backend: BackendState | undefined = backends.get(id);
  return backend !== undefined && all.accepting.has(backend);
}
