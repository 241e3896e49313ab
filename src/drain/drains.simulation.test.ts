import fc from "fast-check";
import { expect, test } from "vitest";
import type { DrainPolicy } from "../routing/index.ts";
import { CHAT, mostInAWindow } from "./drain.fixture.ts";
import { type PodState, RULES, Simulation, type Step, UPSTREAMS } from "./simulation.fixture.ts";

const number = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const keepOrClose = fc.constantFrom<"Keep" | "Close">("Keep", "Close", "Close");
const withinMs = fc.oneof(fc.constant(1_000), number(200, 30_000));
const perSecond = fc.oneof(fc.constant(0), number(1, 3), number(1, 200));
const rule = number(0, RULES.length - 1);
const upstream = fc.constantFrom(0, 0, 1);
const pod = number(0, 3);
const state = fc.constantFrom<PodState>("ready", "ready", "unready", "terminating", "absent", "absent", "replaced");
const lingerMs = fc.constantFrom(0, 0, 30, 700, 9_000, Number.POSITIVE_INFINITY);

const drain: fc.Arbitrary<Partial<DrainPolicy>> = fc.record(
  {
    onBackendRemoval: keepOrClose,
    onUnready: keepOrClose,
    onZeroWeight: keepOrClose,
    withinMs,
    perSecond,
    closeCode: number(4_900, 4_910),
    closeReason: fc.constantFrom("", "bye"),
  },
  { requiredKeys: [] },
);

const pass = fc.oneof(
  fc.record({ ms: number(1, 400), stepMs: number(1, 60) }),
  fc.record({ ms: fc.constantFrom(950, 4_900, 5_000, 5_100), stepMs: fc.constant(50) }),
  fc.record({ ms: number(1_000, 20_000), stepMs: fc.constantFrom(50, 50, 47, 130, 900, 30_000) }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("pod" as const), upstream, pod, state }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("list" as const),
      upstream,
      states: fc.oneof(fc.constant(null), fc.constant([]), fc.array(state, { maxLength: 4 })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("edit" as const),
      rule,
      drain,
      weights: fc.constantFrom<[number, number]>([1, 0], [1, 1], [0, 1], [3, 1]),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), rule }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("connect" as const), rule, count: number(1, 15), lingerMs }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("handshake" as const), rule }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("open" as const, "fail" as const, "end" as const), pick: fc.nat() }),
  },
  { weight: 8, arbitrary: pass.map((each) => ({ do: "pass" as const, ...each })) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop" as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lag" as const), ms: number(1, 300) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const), every: number(1, 3), withinMs, perSecond }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drainBackend" as const), pod, withinMs, perSecond }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("drainProcess" as const), graceMs: number(0, 9_000), withinMs, perSecond }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("shutDown" as const), withinMs: number(0, 20_000) }) },
);

/** Numbers as if at random, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state32 = seed;
  return () => {
    state32 = (state32 + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state32 ^ (state32 >>> 15), 1 | state32);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** At rest nothing is left over, and the next drain runs as if nothing had been before. */
function expectRest(simulation: Simulation): void {
  const { story } = simulation;
  simulation.rest();
  simulation.pass(12_000, 50);
  simulation.compare();
  expect([...story.byRule.facts(), ...story.ordered.facts()]).toEqual([]);
  expect(story.ordered.isRefusing).toBe(false);
  expect(story.world.wheel.size).toBe(0);
  expect([...story.registry.backends()].map(({ backend, standing }) => `${backend.target} ${standing}`)).toHaveLength(
    8,
  );
  const begun = story.world.heard.filter(({ what }) => what === "began").map(({ drain: { id } }) => id);
  const over = story.world.heard.filter(({ what }) => what === "ended").map(({ drain: { id } }) => id);
  expect(new Set(over)).toEqual(new Set(begun));
  for (const { what, drain: facts, atMs } of story.world.heard) {
    if (what !== "late") continue;
    expect(facts.waiting + facts.closing).toBeGreaterThan(0);
    expect(atMs).toBeGreaterThanOrEqual(facts.endsAtMs);
  }
}

function expectOneCleanDrain(simulation: Simulation): void {
  const { story } = simulation;
  const keep = {
    onBackendRemoval: "Close",
    onUnready: "Keep",
    onZeroWeight: "Keep",
    withinMs: 12_000,
    perSecond: 0,
  } as const;
  simulation.run({ do: "edit", rule: 0, drain: keep, weights: [1, 0] });
  simulation.run({ do: "connect", rule: 0, count: 240, lingerMs: 200 });
  const before = story.world.closed.length;
  simulation.run({ do: "pod", upstream: 0, pod: 0, state: "terminating" });
  simulation.pass(12_000, 50);
  const times = story.world.closeTimes.slice(before);
  expect(times).toHaveLength(60);
  expect(mostInAWindow(times, 1_000)).toBeLessThanOrEqual(1.5 * 6);
  expect([...story.world.tunnels].some(({ context }) => context.lease.backend.address === "10.0.0.1")).toBe(false);
  simulation.rest();
  simulation.pass(6_000, 50);
  for (const [index] of UPSTREAMS.entries()) simulation.run({ do: "list", upstream: index, states: null });
  expect([...story.registry.backends()]).toEqual([]);
  expect([...story.registry.keys()]).not.toContain(CHAT);
  expect(story.world.wheel.size).toBe(0);
}

test("any mix of joins, leaves, returns, edits and orders: never early, never late, never twice, never too fast", () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), (seed, steps) => {
      const simulation = new Simulation(seeded(seed));
      for (const each of steps) {
        simulation.run(each);
        simulation.compare();
      }
      expectRest(simulation);
      expectOneCleanDrain(simulation);
    }),
    { numRuns: 200 },
  );
});
