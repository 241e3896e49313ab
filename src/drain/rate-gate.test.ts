import fc from "fast-check";
import { expect, test } from "vitest";
import { RateGate } from "./rate-gate.ts";

const TICK_MS = 50;
const SECOND_MS = 1_000;

/** Times at which someone looks: about each tick, now and then much later, and then again at once. */
const looks = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 1, max: TICK_MS }) },
    { weight: 2, arbitrary: fc.integer({ min: TICK_MS, max: 4 * TICK_MS }) },
    { weight: 1, arbitrary: fc.integer({ min: 4 * TICK_MS, max: 5 * SECOND_MS }) },
  ),
  { minLength: 20, maxLength: 120 },
);
const rates = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 5_000 }));

/** Lets all through that may pass; somebody always waits. */
function passAll(gate: RateGate, nowMs: number, most = 20_000): number[] {
  const passed: number[] = [];
  while (gate.nextMs <= nowMs && passed.length < most) {
    gate.pass(nowMs);
    passed.push(nowMs);
  }
  return passed;
}

function rated(perSecond: number): RateGate {
  const gate = new RateGate(TICK_MS);
  gate.setRate(perSecond);
  return gate;
}

/** In no half-open second are there more than `perSecond` of these. */
function expectAtMost(perSecond: number, times: readonly number[]): void {
  for (let i = 0; i + perSecond < times.length; i++) {
    expect((times[i + perSecond] as number) - (times[i] as number)).toBeGreaterThanOrEqual(SECOND_MS - 1e-6);
  }
}

test("no half-open second sees more than the rate, whatever the rate and however late someone looks", () => {
  fc.assert(
    fc.property(rates, looks, fc.nat(1_000_000), (perSecond, gaps, beginMs) => {
      const gate = rated(perSecond);
      let nowMs = beginMs;
      const times = [...passAll(gate, nowMs)];
      for (const gap of gaps) {
        nowMs += gap;
        times.push(...passAll(gate, nowMs));
      }
      expectAtMost(perSecond, times);
    }),
    { numRuns: 60 },
  );
});

test("it has no burst: whoever comes after a long rest finds no more than what belongs to a tick", () => {
  fc.assert(
    fc.property(rates, fc.integer({ min: 1, max: 3_600_000 }), (perSecond, restMs) => {
      const gate = rated(perSecond);
      passAll(gate, 0);
      expect(passAll(gate, restMs).length).toBeLessThanOrEqual((perSecond * TICK_MS) / SECOND_MS + 1);
    }),
  );
});

test("at least 90 % of the rate is reached where each look comes within a tick", () => {
  fc.assert(
    fc.property(rates, fc.infiniteStream(fc.integer({ min: 1, max: TICK_MS })), (perSecond, gaps) => {
      const gate = rated(perSecond);
      const lastsMs = 20 * SECOND_MS;
      let passed = passAll(gate, 0).length;
      for (let nowMs = 0; nowMs < lastsMs; ) {
        nowMs += gaps.next().value;
        passed += passAll(gate, nowMs).length;
      }
      expect(passed).toBeGreaterThanOrEqual((0.9 * perSecond * lastsMs) / SECOND_MS);
    }),
    { numRuns: 40 },
  );
});

test("a rate that changes is kept: no second sees more than the highest that held in it", () => {
  const edits = fc.array(
    fc.record({ perSecond: rates, gaps: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 }) }),
    {
      minLength: 2,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(edits, (script) => {
      const gate = new RateGate(TICK_MS);
      let nowMs = 0;
      const held: { readonly fromMs: number; readonly perSecond: number }[] = [];
      const times: number[] = [];
      for (const { perSecond, gaps } of script) {
        gate.setRate(perSecond);
        held.push({ fromMs: nowMs, perSecond });
        for (const gap of gaps) {
          times.push(...passAll(gate, nowMs));
          nowMs += gap;
        }
      }
      for (const [i, beginMs] of times.entries()) {
        const highest = Math.max(
          ...held
            .filter(({ fromMs }, k) => fromMs < beginMs + SECOND_MS && (held[k + 1]?.fromMs ?? nowMs) >= beginMs)
            .map(({ perSecond }) => perSecond),
        );
        const behind = times[i + highest];
        if (behind !== undefined) expect(behind - beginMs).toBeGreaterThanOrEqual(SECOND_MS - 1e-6);
      }
    }),
    { numRuns: 60 },
  );
});

test("after a change the new rate is reached within one step of the old one", () => {
  const gate = rated(1);
  passAll(gate, 0);
  gate.setRate(100);
  let passed = 0;
  for (let nowMs = 0; nowMs < 3_000; nowMs += TICK_MS) passed += passAll(gate, nowMs).length;
  expect(passed).toBeGreaterThan(170);
});

test("0 lets any number through, also when it comes after a slow rate", () => {
  const gate = new RateGate(TICK_MS);
  expect(passAll(gate, 0, 1_000)).toHaveLength(1_000);
  gate.setRate(1);
  passAll(gate, 0);
  gate.setRate(0);
  expect(passAll(gate, 1, 1_000)).toHaveLength(1_000);
});
