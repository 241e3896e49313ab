import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RuleId, UpstreamKey } from "../routing/index.ts";
import { endpoint, ruleOf, seeded, WISH, wish } from "./upstream.fixture.ts";
import { UpstreamRegistry } from "./registry.ts";
import { WeightedTurns } from "./weighted-turn.ts";

const KEYS = ["a", "b", "c", "d"].map((name) => `apps/${name}:80` as UpstreamKey);

function ruleWith(weights: readonly number[]) {
  return { id: "apps/r/0" as RuleId, backends: weights.map((weight, n) => ({ upstream: KEYS[n]!, weight })) };
}

/** How often each upstream had its turn in so many picks; `away` = those that have no backend just now. */
function picks(
  turns: WeightedTurns,
  weights: readonly number[],
  count: number,
  away: readonly number[] = [],
): number[] {
  const rule = ruleWith(weights);
  const candidates = rule.backends.filter(({ weight }, n) => weight > 0 && !away.includes(n));
  const got = weights.map(() => 0);
  for (let n = 0; n < count; n++) {
    const index = KEYS.indexOf(turns.next(rule, candidates)!);
    if (index !== -1) got[index]!++;
  }
  return got;
}

describe("a change of weights", () => {
  test.for([
    { name: "from heavy weights to light ones", before: [1_000_000, 1], picked: 7, after: [1, 1] },
    { name: "from even to canary", before: [1_000, 1_000], picked: 1, after: [9, 1] },
    { name: "turned around", before: [9, 1], picked: 5, after: [1, 9] },
    { name: "of three", before: [100, 10, 1], picked: 44, after: [1, 1, 1] },
    { name: "to zero and back", before: [3, 0, 5], picked: 4, after: [3, 5, 5] },
  ])("$name counts from the next pick on, and nothing is made up for", ({ before, picked, after }) => {
    const turns = new WeightedTurns();
    picks(turns, before, picked);
    const total = after.reduce((sum, weight) => sum + weight, 0);
    for (const count of [total, 20, 100]) {
      const got = picks(turns, after, count);
      for (const [n, weight] of after.entries()) expect(Math.abs(got[n]! - (count * weight) / total)).toBeLessThan(2);
    }
  });

  test("an upstream that has no backend for a while neither loses nor saves turns", () => {
    const turns = new WeightedTurns();
    picks(turns, [1_000_000, 1, 1], 10);
    const without = picks(turns, [1_000_000, 1, 1], 100, [0]);
    expect(without[0]).toBe(0);
    expect(Math.abs(without[1]! - 50)).toBeLessThan(2);
    const [first = 0] = picks(turns, [1_000_000, 1, 1], 100);
    expect(first).toBeGreaterThanOrEqual(98);
  });

  test("any weights after any others, with upstreams that are away, stay in proportion", () => {
    const phase = fc.record({
      weights: fc.array(fc.oneof(fc.nat(10), fc.nat(1_000_000)), { minLength: 1, maxLength: 4 }),
      count: fc.integer({ min: 1, max: 200 }),
      away: fc.subarray([0, 1, 2, 3]),
    });
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 12 }), (phases) => {
        const turns = new WeightedTurns();
        for (const { weights, count, away } of phases) {
          const got = picks(turns, weights, count, away);
          const shares = weights.map((weight, n) => (away.includes(n) ? 0 : weight));
          const total = shares.reduce((sum, share) => sum + share, 0);
          if (total === 0) continue;
          for (const [n, share] of shares.entries()) {
            expect(Math.abs(got[n]! - (count * share) / total)).toBeLessThan(4);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("10,000 tunnels of clients that fail and come again split as the weights say, also right after each change", () => {
  const random = seeded(42);
  const registry = new UpstreamRegistry({ random, now: () => 0 });
  for (const [n, key] of KEYS.slice(0, 3).entries())
    registry.setEndpoints(key, [endpoint(`10.0.${n}.1`), endpoint(`10.0.${n}.2`)]);
  for (const weights of [
    [90, 9, 1],
    [1, 9, 90],
    [1, 1, 1],
    [500_000, 499_999, 1],
    [2, 0, 1],
  ]) {
    const rule = ruleOf("LeastTunnels", Object.fromEntries(weights.map((weight, n) => [KEYS[n]!, weight])));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const count of [50, 2_000]) {
      const got = weights.map(() => 0);
      for (let n = 0; n < count; n++) {
        const lease = registry.acquire(rule, WISH)!;
        got[KEYS.indexOf(lease.backend.upstream)]!++;
        if (random() < 0.3) {
          // It goes wrong, through no fault of the backend: another one of whichever upstream has its turn.
          lease.release("lost");
          registry.acquire(rule, wish({ tried: new Set([lease.backend.id]) }))?.release("closed");
        }
      }
      // A retry takes a turn like any other, so a little more than one pick may be owed.
      for (const [n, weight] of weights.entries()) {
        const share = (count * weight) / total;
        expect(Math.abs(got[n]! - share)).toBeLessThan(2 + 4 * Math.sqrt(0.3 * share));
      }
    }
  }
});
