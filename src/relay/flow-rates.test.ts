import { describe, expect, test } from "vitest";
import { FlowRates, type RatedKind } from "./flow-rates.ts";

const NONE = { messagesPerSecond: 0, bytesPerSecond: 0, controlFramesPerSecond: 0 };

/** How many of a kind may begin at once. */
function allowed(rates: FlowRates, kind: RatedKind, nowMs: number): number {
  for (let count = 0; count < 1_000; count += 1) if (rates.begin(kind, nowMs) > 0) return count;
  return Infinity;
}

describe("a policy has rates", () => {
  test.for(["messagesPerSecond", "bytesPerSecond", "controlFramesPerSecond"] as const)("with %s alone", (name) => {
    expect(FlowRates.has({ ...NONE, [name]: 1 })).toBe(true);
  });

  test("not with none", () => {
    expect(FlowRates.has(NONE)).toBe(false);
  });
});

test.for(["messagesPerSecond", "bytesPerSecond", "controlFramesPerSecond"] as const)(
  "two policies have the same rates only if their %s is the same too",
  (name) => {
    const policy = { messagesPerSecond: 1, bytesPerSecond: 2, controlFramesPerSecond: 3 };
    expect(FlowRates.areSame(policy, { ...policy })).toBe(true);
    expect(FlowRates.areSame(policy, { ...policy, [name]: 4 })).toBe(false);
  },
);

describe("what begins", () => {
  test.for([
    { kind: "message", policy: { ...NONE, messagesPerSecond: 7 } },
    { kind: "control", policy: { ...NONE, controlFramesPerSecond: 7 } },
  ] as const)("a $kind counts for its own rate: a second's worth at once, then one by one", ({ kind, policy }) => {
    const rates = new FlowRates(policy, 1_000);
    expect(allowed(rates, kind, 1_000)).toBe(7);
    expect(rates.begin(kind, 1_000)).toBe(143);
    expect(rates.begin(kind, 1_142)).toBe(1);
    expect(allowed(rates, kind, 1_143)).toBe(1);
    expect(allowed(rates, kind, 900_000)).toBe(7);
  });

  test.for([
    { kind: "control", policy: { ...NONE, messagesPerSecond: 1, bytesPerSecond: 1 } },
    { kind: "message", policy: { ...NONE, controlFramesPerSecond: 1, bytesPerSecond: 1 } },
  ] as const)("a $kind without a rate of its own may at any time", ({ kind, policy }) => {
    expect(allowed(new FlowRates(policy, 0), kind, 0)).toBe(Infinity);
  });

  test("takes nothing from the other kind, nor from the bytes", () => {
    const rates = new FlowRates({ messagesPerSecond: 3, bytesPerSecond: 100, controlFramesPerSecond: 5 }, 0);
    expect(allowed(rates, "message", 0)).toBe(3);
    expect(allowed(rates, "control", 0)).toBe(5);
    expect(rates.payForBytes(100, 0)).toBe(0);
  });

  test("and is refused can be asked for as often as one likes: it costs nothing", () => {
    const rates = new FlowRates({ ...NONE, messagesPerSecond: 1 }, 0);
    expect(rates.begin("message", 0)).toBe(0);
    for (let nowMs = 0; nowMs < 1_000; nowMs += 1) expect(rates.begin("message", nowMs)).toBe(1_000 - nowMs);
    expect(rates.begin("message", 1_000)).toBe(0);
  });
});

describe("bytes that have passed", () => {
  test("are paid for: a second's worth is there, the rest has to be waited for", () => {
    const rates = new FlowRates({ ...NONE, bytesPerSecond: 1_000 }, 0);
    expect(rates.payForBytes(1_000, 0)).toBe(0);
    expect(rates.payForBytes(64_000, 0)).toBe(64_000);
    expect(rates.payForBytes(0, 63_999)).toBe(1);
    expect(rates.payForBytes(0, 64_000)).toBe(0);
  });

  test("cost nothing without a rate of theirs", () => {
    const rates = new FlowRates({ ...NONE, messagesPerSecond: 1, controlFramesPerSecond: 1 }, 0);
    expect(rates.payForBytes(1e9, 0)).toBe(0);
    expect([rates.begin("message", 0), rates.begin("control", 0)]).toEqual([0, 0]);
  });
});
