import { isDeepStrictEqual } from "node:util";
import type { Balancing, RulePolicy } from "../../src/routing/index.ts";
import { QUIET_POLICY } from "../../src/routing/rule-policy.fixture.ts";

/** What a rule that says nothing of these has; they are shown where a rule has something else. */
const UNSAID: Partial<RulePolicy> = {
  drain: QUIET_POLICY.drain,
  balancing: { algorithm: "LeastTunnels" },
  affinity: undefined,
  health: {
    panicPercent: 30,
    passive: {
      signs: ["DialFailure", "BadAnswer", "EarlyEnd"],
      failures: 5,
      ejectMs: 1_000,
      longestEjectMs: 30_000,
      maxEjectedPercent: 50,
    },
    active: undefined,
  },
  retry: { on: ["Connect"], attempts: 1, budgetPercent: 20 },
  admission: QUIET_POLICY.admission,
};

/** A line of what is a number or a word, and one for each group of fields of which the rule says something. */
export function policyText({ plainHTTP, ...policy }: RulePolicy): Readonly<Record<string, string>> {
  const fields = Object.entries(policy);
  const scalars = fields.filter(([name]) => !(name in UNSAID));
  const groups = fields.filter(([name, value]) => {
    return name in UNSAID && !isDeepStrictEqual(value, UNSAID[name as keyof RulePolicy]);
  });
  const texts = groups.map(([name, value]) => [
    name,
    name === "balancing" ? balancingText(value as Balancing) : flatText(value).join(", "),
  ]);
  return {
    policy: [plainHTTP, ...flatText(Object.fromEntries(scalars))].join(", "),
    ...(Object.fromEntries(texts) as Record<string, string>),
  };
}

/** `passive.failures 5`. 0 = off, of every number; that and what is not there is left out. */
function flatText(value: unknown, path = ""): readonly string[] {
  if (value === 0 || value === "" || value === undefined) return [];
  if (Array.isArray(value)) return [`${path} ${value.join(" or ") || "none"}`];
  if (typeof value !== "object" || value === null) return [`${path} ${value as string | number | boolean}`];
  return Object.entries(value).flatMap(([name, field]) => flatText(field, path === "" ? name : `${path}.${name}`));
}

function balancingText(balancing: Balancing): string {
  if (balancing.algorithm !== "ConsistentHash") return balancing.algorithm;
  return `${balancing.algorithm} on ${Object.values(balancing.hashOn).join(" ")}`;
}
