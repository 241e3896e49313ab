import type { RouteRule } from "../api/index.ts";
import type { CompiledEntry, CompiledRule, UpstreamKey } from "../routing/index.ts";
import { compileMatch, compileRule } from "./compile.ts";
import { claimsOf, type Conflict, findConflicts } from "./conflicts.ts";
import { comparePrecedence, type RankedEntry } from "./precedence.ts";
import type { NamespacedName } from "./types.ts";

/** What the table gets of a route. Routes whose objects did not change keep it, so it compares by identity. */
export interface CompiledRoute {
  readonly route: NamespacedName;
  readonly rules: readonly CompiledRule[];
  /** In order of precedence, as a host has them that no other route claims. */
  readonly ranked: readonly RankedEntry[];
  /** The same without what the order was made from. */
  readonly entries: readonly CompiledEntry[];
  /** Entries that are never reached because of others of this route; so on each of its hosts. */
  readonly conflicts: readonly Conflict[];
  /** The upstreams of all rules, each once. */
  readonly upstreams: readonly UpstreamKey[];
}

/** Where a backendRef stands in its route. */
export interface RefPlace {
  readonly ruleIndex: number;
  readonly refIndex: number;
}

/** A route without some of its backendRefs. */
export interface WithheldRoute {
  /** Which ones, as text. */
  readonly places: string;
  readonly compiled: CompiledRoute;
}

export interface RouteToCompile {
  readonly name: NamespacedName;
  /** When the route was created, in milliseconds since 1970; infinity where it does not say. */
  readonly createdMs: number;
  readonly rules: readonly RouteRule[];
  /** Of each rule the upstreams that its backendRefs name, in their order. */
  readonly upstreams: readonly (readonly UpstreamKey[])[];
}

/** A route that is not served. */
export const NOTHING_COMPILED: CompiledRoute = {
  route: "",
  rules: [],
  ranked: [],
  entries: [],
  conflicts: [],
  upstreams: [],
};

/** The rules of a route and their entries, with every backendRef in them. */
export function compileRoute({ name, createdMs, rules, upstreams }: RouteToCompile): CompiledRoute {
  const compiled = rules.map((rule, index) =>
    compileRule(rule, { route: name, index, upstreams: upstreams[index] ?? [] }),
  );
  const ranked = compiled.flatMap((rule, ruleIndex) =>
    (rules[ruleIndex]?.matches ?? []).map((written, matchIndex) => {
      const match = compileMatch(written);
      return { entry: { match, rule }, route: name, createdMs, ruleIndex, matchIndex, claims: claimsOf(match) };
    }),
  );
  return assemble(name, compiled, ranked.toSorted(comparePrecedence));
}

/**
 * The route without the backendRefs at these places: as if nobody had written them. Rules that lose none, and their
 * entries, stay the same objects. `before` is what the last build made of this, which is kept if it still holds.
 */
export function withhold(
  whole: CompiledRoute,
  places: readonly RefPlace[],
  before: WithheldRoute | undefined,
): WithheldRoute {
  const text = places.map(({ ruleIndex, refIndex }) => `${ruleIndex}.${refIndex}`);
  const key = text.join(" ");
  if (before?.places === key) return before;
  const withheld = new Set(text);
  const changed = new Set(places.map(({ ruleIndex }) => ruleIndex));
  const rules = whole.rules.map((rule, ruleIndex) => {
    if (!changed.has(ruleIndex)) return rule;
    return { ...rule, backends: rule.backends.filter((_, refIndex) => !withheld.has(`${ruleIndex}.${refIndex}`)) };
  });
  const ranked = whole.ranked.map((one) => {
    const rule = rules[one.ruleIndex];
    return rule === undefined || !changed.has(one.ruleIndex) ? one : { ...one, entry: { ...one.entry, rule } };
  });
  return { places: key, compiled: assemble(whole.route, rules, ranked) };
}

function assemble(
  route: NamespacedName,
  rules: readonly CompiledRule[],
  ranked: readonly RankedEntry[],
): CompiledRoute {
  return {
    route,
    rules,
    ranked,
    entries: ranked.map(({ entry }) => entry),
    conflicts: findConflicts(ranked),
    upstreams: [...new Set(rules.flatMap(({ backends }) => backends.map(({ upstream }) => upstream)))],
  };
}
