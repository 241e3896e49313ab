import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CompiledMatch, CompiledRule } from "../routing/index.ts";
import { claimsOf } from "./conflicts.ts";
import { comparePrecedence, type RankedEntry } from "./precedence.ts";

interface Traits {
  readonly exact?: string;
  readonly prefix?: string;
  readonly headers?: number;
  readonly queryParams?: number;
  readonly subprotocols?: number;
  readonly created?: string;
  readonly route?: string;
  readonly rule?: number;
  readonly match?: number;
}

function ranked(traits: Traits): RankedEntry {
  const names = (count = 0): { name: string; value: string }[] =>
    Array.from({ length: count }, (_, i) => ({ name: `n${i}`, value: "" }));
  const match: CompiledMatch = {
    path:
      traits.exact === undefined
        ? { type: "PathPrefix", value: traits.prefix ?? "/" }
        : { type: "Exact", value: traits.exact },
    headers: names(traits.headers),
    queryParams: names(traits.queryParams),
    subprotocols: names(traits.subprotocols).map(({ name }) => name),
  };
  return {
    entry: { match, rule: {} as CompiledRule },
    route: traits.route ?? "apps/chat",
    createdMs: traits.created === undefined ? Number.POSITIVE_INFINITY : Date.parse(traits.created),
    ruleIndex: traits.rule ?? 0,
    matchIndex: traits.match ?? 0,
    claims: claimsOf(match),
  };
}

describe("the first goes before the second", () => {
  test.for<{ name: string; first: Traits; second: Traits }>([
    { name: "an exact path before a longer prefix", first: { exact: "/a" }, second: { prefix: "/a/b/c", headers: 3 } },
    { name: "a longer prefix before more headers", first: { prefix: "/a/b" }, second: { prefix: "/a", headers: 3 } },
    { name: "more headers before more parameters", first: { headers: 1 }, second: { queryParams: 3 } },
    { name: "more parameters before a subprotocol", first: { queryParams: 1 }, second: { subprotocols: 3 } },
    {
      name: "a subprotocol named before an older route",
      first: { subprotocols: 1, created: "2026-02-01T00:00:00Z" },
      second: { created: "2026-01-01T00:00:00Z" },
    },
    {
      name: "an older route before the order of names",
      first: { created: "2026-01-01T00:00:00Z", route: "z/z" },
      second: { created: "2026-02-01T00:00:00Z", route: "a/a" },
    },
    {
      name: "a route that tells its age before one that does not",
      first: { created: "2026-02-01T00:00:00Z", route: "z/z" },
      second: { route: "a/a" },
    },
    {
      name: "a namespace and name before the order of rules",
      first: { route: "a/a", rule: 9 },
      second: { route: "a/b", rule: 0 },
    },
    {
      name: "names are compared by code units, in no language",
      first: { route: "apps/B" },
      second: { route: "apps/a" },
    },
    { name: "an earlier rule before the order of matches", first: { rule: 0, match: 9 }, second: { rule: 1 } },
    { name: "an earlier match before a later one", first: { match: 0 }, second: { match: 1 } },
  ])("$name", ({ first, second }) => {
    expect(comparePrecedence(ranked(first), ranked(second))).toBeLessThan(0);
    expect(comparePrecedence(ranked(second), ranked(first))).toBeGreaterThan(0);
  });

  test("how many subprotocols are named does not matter, only whether one is", () => {
    const many = ranked({ subprotocols: 3, rule: 1 });
    expect(comparePrecedence(ranked({ subprotocols: 1, rule: 0 }), many)).toBeLessThan(0);
  });
});

const anEntry = fc
  .record(
    {
      exact: fc.constantFrom("/a", "/b"),
      prefix: fc.constantFrom("/", "/a", "/b"),
      headers: fc.nat(1),
      created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
      route: fc.constantFrom("a/a", "a/b", "b/a"),
      rule: fc.nat(2),
    },
    { requiredKeys: [] },
  )
  .map(ranked);

test("the order is total: it has no circles, with and without creation times", () => {
  fc.assert(
    fc.property(anEntry, anEntry, anEntry, (a, b, c) => {
      expect(Math.sign(comparePrecedence(a, b))).toBe(-Math.sign(comparePrecedence(b, a)) + 0);
      if (comparePrecedence(a, b) <= 0 && comparePrecedence(b, c) <= 0) {
        expect(comparePrecedence(a, c)).toBeLessThanOrEqual(0);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("the outcome does not depend on how the source lists the routes", () => {
  const distinct = fc.uniqueArray(anEntry, { comparator: (a, b) => comparePrecedence(a, b) === 0 });
  const shuffled = distinct.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, ([list, other]) => {
      expect(other.toSorted(comparePrecedence)).toEqual(list.toSorted(comparePrecedence));
    }),
  );
});
