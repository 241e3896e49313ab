import type { CompiledRule, RuleId, UpstreamKey, WeightedUpstream } from "../routing/index.ts";

/** Rules with more than one upstream whose turn is remembered; the longest untouched is forgotten first. */
const MAX_RULES = 16_384;

/**
 * Smooth weighted round robin over the upstreams of a rule: over any run of picks each upstream gets its share, spread
 * as evenly as the weights allow. Turns are kept by rule id, so that an edit of a rule does not start them anew (which
 * would favour the heaviest upstream under frequent edits).
 *
 * What is kept is how many picks an upstream is owed, a fraction of one, and not a sum of weights: it means the same
 * under any weights, so a change of them counts from the next pick on and nothing is made up for.
 */
export class WeightedTurns {
  readonly #owed = new Map<RuleId, Map<UpstreamKey, number>>();

  /**
   * The upstream whose turn it is among `candidates`: those of the rule's upstreams that have a backend to offer, with
   * weights above 0. The others keep what they are owed until they are back.
   */
  next(rule: Pick<CompiledRule, "id" | "backends">, candidates: readonly WeightedUpstream[]): UpstreamKey | undefined {
    const only = candidates[0];
    if (candidates.length <= 1) return only?.upstream;
    const owed = this.#owedIn(rule);
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
    let best: UpstreamKey | undefined;
    let most = Number.NEGATIVE_INFINITY;
    for (const { upstream, weight } of candidates) {
      // One Service may stand twice in a rule: its weights add up.
      const share = (owed.get(upstream) ?? 0) + weight / total;
      owed.set(upstream, share);
      if (share > most) {
        best = upstream;
        most = share;
      }
    }
    if (best !== undefined) owed.set(best, (owed.get(best) ?? 0) - 1);
    return best;
  }

  /** What the rule's upstreams are owed, and touches it. */
  #owedIn({ id, backends }: Pick<CompiledRule, "id" | "backends">): Map<UpstreamKey, number> {
    const owed = this.#owed.get(id) ?? new Map<UpstreamKey, number>();
    this.#owed.delete(id);
    this.#owed.set(id, owed);
    if (this.#owed.size > MAX_RULES) {
      const oldest = this.#owed.keys().next();
      if (oldest.done !== true) this.#owed.delete(oldest.value);
    }
    if (owed.size > backends.length) forgetOthers(owed, backends);
    return owed;
  }
}

/** What is kept is no more than what the rule names. */
function forgetOthers(owed: Map<UpstreamKey, number>, backends: readonly WeightedUpstream[]): void {
  const named = new Set(backends.map(({ upstream }) => upstream));
  for (const upstream of owed.keys()) if (!named.has(upstream)) owed.delete(upstream);
}
