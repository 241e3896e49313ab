import type { RuleId, UpstreamKey, WeightedUpstream } from "../routing/index.ts";

/** Rules with more than one upstream whose turn is remembered; the longest untouched is forgotten first. */
const MAX_RULES = 16_384;

/**
 * Smooth weighted round robin over the upstreams of a rule: over any run of picks each upstream gets its share, spread
 * as evenly as the weights allow. Turns are kept by rule id, so that an edit of a rule does not start them anew (which
 * would favour the heaviest upstream under frequent edits).
 */
export class WeightedTurns {
  readonly #turns = new Map<RuleId, Map<UpstreamKey, number>>();

  /** The upstream whose turn it is among `candidates`, which must not be empty and have weights above 0. */
  next(rule: RuleId, candidates: readonly WeightedUpstream[]): UpstreamKey | undefined {
    const only = candidates[0];
    if (candidates.length <= 1) return only?.upstream;
    const before = this.#turns.get(rule);
    const credits = new Map<UpstreamKey, number>();
    let total = 0;
    let best: UpstreamKey | undefined;
    let bestCredit = Number.NEGATIVE_INFINITY;
    for (const { upstream, weight } of candidates) {
      // One Service may stand twice in a rule: its weights add up.
      const credit = (credits.get(upstream) ?? before?.get(upstream) ?? 0) + weight;
      total += weight;
      credits.set(upstream, credit);
      if (credit > bestCredit) {
        best = upstream;
        bestCredit = credit;
      }
    }
    if (best !== undefined) credits.set(best, (credits.get(best) ?? 0) - total);
    this.#remember(rule, credits);
    return best;
  }

  #remember(rule: RuleId, credits: Map<UpstreamKey, number>): void {
    this.#turns.delete(rule);
    this.#turns.set(rule, credits);
    if (this.#turns.size <= MAX_RULES) return;
    const oldest = this.#turns.keys().next();
    if (oldest.done !== true) this.#turns.delete(oldest.value);
  }
}
