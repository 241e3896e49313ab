import { wordFor } from "./backend-word.ts";
import type { HealthFacts } from "./trust.ts";
import type { Backend, BackendFacts, BackendOut, BackendWord, UpstreamStats } from "./types.ts";
import type { UpstreamState } from "./upstream-state.ts";

/** What there is to say of an upstream's backends, for people and metrics. */
export function* factsIn({ backends, limit }: UpstreamState, health: HealthFacts): Iterable<BackendFacts> {
  for (const { backend, standing, sinceMs, isCordoned, pending, tunnels, tunnelsToBe } of backends.values()) {
    const isFull = tunnelsToBe >= limit;
    yield { backend, standing, sinceMs, isCordoned, out: outOf(backend, health), isFull, pending, tunnels };
  }
}

/** Their sums. */
export function countsOf(backends: Iterable<BackendFacts>): Omit<UpstreamStats, "upstream" | "ready"> {
  let draining = 0;
  let pending = 0;
  let tunnels = 0;
  const out = new Map<Exclude<BackendWord, "accepting">, number>();
  for (const facts of backends) {
    const isTaking = facts.standing === "serving" && !facts.isCordoned;
    if (!isTaking && facts.pending + facts.tunnels > 0) draining++;
    pending += facts.pending;
    tunnels += facts.tunnels;
    const word = wordFor(facts);
    if (word !== "accepting") out.set(word, (out.get(word) ?? 0) + 1);
  }
  return { draining, pending, tunnels, out };
}

function outOf({ id }: Backend, { ejections, verdicts }: HealthFacts): BackendOut | undefined {
  const ejection = ejections.of(id);
  if (ejection !== undefined) return { why: ejection.sign, untilMs: ejection.untilMs };
  return verdicts.isFailing(id) ? { why: "Probe", untilMs: undefined } : undefined;
}
