import fc from "fast-check";
import { expect, test } from "vitest";
import { BufferBudget } from "./buffer-budget.ts";
import type { BudgetStanding, BufferHolder } from "./buffer-holder.ts";
import { TimerWheel } from "./timer-wheel.ts";

const LIMIT = 1_000_000;

/** A flow with a source that sends without end and a sink that takes what the test says. */
class Tap implements BufferHolder {
  rosterPlace = -1;
  budgetStanding: BudgetStanding | undefined = undefined;
  waitingBytes = 0;
  movedAtMs = 0;
  isHeld = false;
  isShed = false;
  readonly #budget: BufferBudget;
  readonly #clock: { readonly ms: number };

  constructor(budget: BufferBudget, clock: { readonly ms: number }) {
    this.#budget = budget;
    this.#clock = clock;
  }

  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    this.movedAtMs = this.#clock.ms;
  }

  shed(): void {
    this.isShed = true;
  }

  /** The source sends; a held one is not read. */
  fill(bytes: number): void {
    if (this.isHeld || this.isShed) return;
    this.waitingBytes += bytes;
    this.#budget.note(this, bytes);
  }

  drain(bytes = Infinity): void {
    this.waitingBytes = Math.max(0, this.waitingBytes - bytes);
    if (this.waitingBytes === 0) this.movedAtMs = this.#clock.ms;
  }
}

function start(options: { readonly perFlowBytes?: number } = {}) {
  const clock = { ms: 1_000 };
  const wheel = new TimerWheel({ now: () => clock.ms });
  const budget = new BufferBudget({
    limitBytes: LIMIT,
    perFlowBytes: LIMIT * 10,
    wheel,
    now: () => clock.ms,
    ...options,
  });
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 50) {
      clock.ms += Math.min(left, 50);
      wheel.advance(clock.ms);
    }
  };
  const taps = (count: number): Tap[] => Array.from({ length: count }, () => new Tap(budget, clock));
  return { wheel, budget, pass, taps, look: () => pass(150) };
}

function sum(taps: readonly Tap[]): number {
  return taps.reduce((total, { waitingBytes }) => total + waitingBytes, 0);
}

test("below the limit nobody is held, and what waits is told", () => {
  const { budget, taps, look } = start();
  const flows = taps(9);
  for (const flow of flows) flow.fill(100_000);
  look();
  expect(budget.usedBytes).toBe(900_000);
  expect(budget.isExhausted).toBe(false);
  expect(flows.some(({ isHeld }) => isHeld)).toBe(false);
});

test("nothing is scheduled before somebody waits, nor after the last one has drained", () => {
  const { budget, wheel, taps, look } = start();
  expect(wheel.size).toBe(0);
  const [flow] = taps(1);
  flow?.fill(10);
  expect(wheel.size).toBe(1);
  look();
  expect(wheel.size).toBe(1);
  flow?.drain();
  look();
  expect(wheel.size).toBe(0);
  expect(budget.usedBytes).toBe(0);
});

test("nothing is scheduled after the last one who waits was forgotten", () => {
  const { budget, wheel, taps } = start();
  const [a, b] = taps(2) as [Tap, Tap];
  a.fill(10);
  b.fill(LIMIT * 2);
  expect(budget.isExhausted).toBe(true);
  budget.forget(a);
  expect(wheel.size).toBe(1);
  budget.forget(b);
  expect(wheel.size).toBe(0);
  expect(b.isHeld).toBe(false);
  expect(budget.isExhausted).toBe(false);
  expect(budget.heldFlows).toBe(0);
});

test("above the limit the fattest are held and the slim ones go on", () => {
  const { budget, taps, look } = start();
  const slim = taps(50);
  const fat = taps(11);
  for (const flow of slim) flow.fill(1_000);
  for (const flow of fat) flow.fill(90_000);
  look();
  expect(budget.isExhausted).toBe(true);
  expect(slim.filter(({ isHeld }) => isHeld)).toHaveLength(0);
  // Up to 1,250,000 there is room for the slim ones and one of these.
  expect(fat.filter(({ isHeld }) => !isHeld)).toHaveLength(1);
  expect(budget.heldFlows).toBe(10);
});

test("flows that grow without end run into a wall a quarter above the limit, however small their steps", () => {
  const { budget, taps, pass } = start();
  const flows = taps(400);
  let most = 0;
  for (let round = 0; round < 300; round += 1) {
    flows.forEach((flow, index) => flow.fill(50 + index));
    most = Math.max(most, sum(flows));
    pass(50);
  }
  // One look's growth may come on top.
  expect(most).toBeLessThan(LIMIT * 1.25 + LIMIT / 8 + 450);
  expect(most).toBeGreaterThan(LIMIT);
  expect(budget.shedTunnels).toBe(0);
});

test("between two looks growth is bounded too", () => {
  const { budget, taps } = start();
  const flows = taps(100);
  for (let round = 0; round < 1_000; round += 1) for (const flow of flows) flow.fill(1_000);
  expect(budget.isExhausted).toBe(true);
  expect(flows.every(({ isHeld }) => isHeld)).toBe(true);
  expect(sum(flows)).toBeLessThan(LIMIT * 1.5);
});

test("a write of a flow that is known to wait looks at nobody, unless much has grown", () => {
  const { budget, taps, look } = start();
  const [flow] = taps(1) as [Tap];
  let looks = 0;
  Object.defineProperty(flow, "waitingBytes", {
    get: () => {
      looks += 1;
      return LIMIT * 1.1;
    },
  });
  budget.note(flow);
  look();
  looks = 0;
  for (let bytes = 10_000; bytes < LIMIT / 8; bytes += 10_000) budget.note(flow, 10_000);
  expect(looks).toBe(0);
  budget.note(flow, 10_000);
  expect(looks).toBeGreaterThan(0);
});

test("whoever notes growth while he is being held starts no second look within the first", () => {
  const { budget, taps } = start();
  const flows = taps(3) as [Tap, Tap, Tap];
  let depth = 0;
  let deepest = 0;
  for (const flow of flows) {
    flow.hold = () => {
      depth += 1;
      deepest = Math.max(deepest, depth);
      flow.isHeld = true;
      flow.waitingBytes += LIMIT;
      budget.note(flow, LIMIT);
      depth -= 1;
    };
  }
  for (const flow of flows) flow.fill(LIMIT);
  expect(deepest).toBe(1);
  expect(budget.heldFlows).toBe(3);
});

test("new ones that begin to wait count as growth although they say nothing of it", () => {
  const { budget, taps } = start();
  for (const flow of taps(25)) {
    flow.waitingBytes = 50_000;
    budget.note(flow);
  }
  expect(budget.isExhausted).toBe(true);
});

test("the budget stays exhausted until nine tenths, and then everyone is released", () => {
  const { budget, taps, look } = start();
  const flows = taps(11);
  for (const flow of flows) flow.fill(100_000);
  look();
  expect(budget.isExhausted).toBe(true);
  flows[0]?.drain();
  flows[1]?.drain(50_000);
  look();
  expect(budget.usedBytes).toBe(950_000);
  expect(budget.isExhausted).toBe(true);
  flows[1]?.drain();
  flows[2]?.drain(1_000);
  look();
  expect(budget.isExhausted).toBe(false);
  expect(flows.some(({ isHeld }) => isHeld)).toBe(false);
  expect(budget.heldFlows).toBe(0);
});

test("a held flow goes on as soon as its sink has taken everything, exhausted or not", () => {
  const { budget, taps, look } = start();
  const flows = taps(14);
  for (const flow of flows) flow.fill(100_000);
  look();
  const held = flows.find(({ isHeld }) => isHeld);
  held?.drain();
  look();
  expect(budget.isExhausted).toBe(true);
  expect(held?.isHeld).toBe(false);
});

test("one flow above its own bound is held whatever the sum is, until it has half of it", () => {
  const { budget, taps, look } = start({ perFlowBytes: 100_000 });
  const [flow, other] = taps(2) as [Tap, Tap];
  flow.fill(100_001);
  other.fill(100_000);
  look();
  expect([flow.isHeld, other.isHeld, budget.isExhausted]).toEqual([true, false, false]);
  flow.drain(40_000);
  look();
  expect(flow.isHeld).toBe(true);
  flow.drain(20_000);
  look();
  expect(flow.isHeld).toBe(false);
  expect(budget.heldFlows).toBe(0);
});

test("readers that stall are shed after half a minute, the fattest first and some per second; whoever moves is not", () => {
  const { budget, taps, pass } = start();
  const stalled = taps(10);
  const moving = taps(5);
  stalled.forEach((flow, index) => flow.fill(60_000 + index * 100));
  for (const flow of moving) flow.fill(120_000);
  const live = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 500) {
      for (const flow of moving) flow.drain(10);
      pass(500);
    }
  };
  live(29_000);
  expect(budget.shedTunnels).toBe(0);
  live(1_500);
  expect(stalled.filter(({ isShed }) => isShed)).toEqual([stalled[9]]);
  live(1_500);
  expect(stalled.filter(({ isShed }) => isShed)).toEqual(stalled.slice(-budget.shedTunnels));
  live(60_000);
  // The source of an ending tunnel is read on.
  expect(stalled.some(({ isShed, isHeld }) => isShed && isHeld)).toBe(false);
  // Enough are shed for recovery once their memory is gone, and no more.
  expect(moving.some(({ isShed }) => isShed)).toBe(false);
  expect(sum([...stalled, ...moving].filter(({ isShed }) => !isShed))).toBeLessThan(LIMIT * 0.9);
  expect(sum([...stalled, ...moving].filter(({ isShed }) => !isShed))).toBeGreaterThan(LIMIT * 0.8);
  expect(budget.isExhausted).toBe(true);
  for (const flow of stalled) if (flow.isShed) budget.forget(flow);
  pass(200);
  expect(budget.isExhausted).toBe(false);
  expect(budget.heldFlows).toBe(0);
});

test("a flow whose sink takes everything and that waits for as much again at each look is not stalled", () => {
  const { budget, taps, pass } = start();
  const stalled = taps(18);
  const [quick] = taps(1) as [Tap];
  for (const flow of stalled) flow.fill(59_000);
  for (let passed = 0; passed < 60_000; passed += 50) {
    quick.drain();
    quick.fill(60_000);
    pass(50);
  }
  expect(stalled.some(({ isShed }) => isShed)).toBe(true);
  expect(quick.isShed).toBe(false);
  expect(budget.isExhausted).toBe(true);
});

test("a stalled flow that is released and held again by turns is stalled all the same", () => {
  const { budget, taps, pass } = start();
  const moving = taps(10);
  const [stalled, breather] = taps(2) as [Tap, Tap];
  stalled.fill(60_000);
  for (const flow of moving) flow.fill(95_000);
  const seen = new Set<boolean>();
  for (let passed = 0; passed < 40_000; passed += 200) {
    for (const flow of moving) flow.drain(1);
    // Now there is room for the slim one, and now there is none.
    breather.release();
    if (passed % 400 === 0) breather.fill(200_000);
    else breather.drain();
    pass(200);
    if (!stalled.isShed) seen.add(stalled.isHeld);
  }
  expect(seen.size).toBe(2);
  expect(stalled.isShed).toBe(true);
  expect(budget.shedTunnels).toBe(1);
});

test("half a minute counts from the time the budget is exhausted, anew each time", () => {
  const { budget, taps, pass } = start();
  const flows = taps(11);
  for (const flow of flows) flow.fill(100_000);
  pass(25_000);
  const [first] = flows as [Tap];
  for (const flow of flows.slice(0, 3)) flow.drain();
  pass(200);
  expect(budget.isExhausted).toBe(false);
  for (const flow of flows.slice(0, 3)) flow.fill(100_000);
  pass(29_000);
  expect(budget.isExhausted).toBe(true);
  expect(budget.shedTunnels).toBe(0);
  pass(2_000);
  expect(budget.shedTunnels).toBeGreaterThan(0);
  expect(first.rosterPlace).toBeGreaterThanOrEqual(0);
});

test("far above the limit, where thousands began to wait at once, the fattest are shed without delay", () => {
  const { budget, taps, look } = start();
  const flows = taps(40);
  flows.forEach((flow, index) => {
    flow.waitingBytes = 40_000 + index * 500;
    budget.note(flow);
  });
  expect(budget.shedTunnels).toBe(0);
  look();
  expect(flows.filter(({ isShed }) => isShed)).toEqual(flows.slice(-budget.shedTunnels));
  expect(sum(flows.filter(({ isShed }) => !isShed))).toBeLessThanOrEqual(LIMIT * 1.5);
  const shed = budget.shedTunnels;
  look();
  look();
  expect(budget.shedTunnels).toBe(shed);
});

test("an end that takes the other flow of its tunnel with it is no harm", () => {
  const { budget, taps, look } = start();
  const flows = taps(40);
  flows.forEach((flow, index) => {
    flow.shed = () => {
      flow.isShed = true;
      const twin = flows[index ^ 1] as Tap;
      expect(twin.isShed).toBe(false);
      budget.forget(flow);
      budget.forget(twin);
    };
    flow.waitingBytes = 60_000;
    budget.note(flow);
  });
  look();
  look();
  expect(budget.shedTunnels).toBe(flows.filter(({ isShed }) => isShed).length);
  expect(sum(flows.filter(({ rosterPlace }) => rosterPlace >= 0))).toBeLessThanOrEqual(LIMIT * 1.5);
});

test("no order of events leaves a held flow or a timer behind once nothing waits", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("fill" as const), who: fc.nat(19), bytes: fc.integer({ min: 1, max: 400_000 }) }),
    fc.record({ kind: fc.constant("drain" as const), who: fc.nat(19), bytes: fc.integer({ min: 1, max: 400_000 }) }),
    fc.record({ kind: fc.constant("forget" as const), who: fc.nat(19), bytes: fc.constant(0) }),
    fc.record({
      kind: fc.constant("pass" as const),
      who: fc.constant(0),
      bytes: fc.constantFrom(50, 150, 700, 31_000),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.boolean(), (steps, areForgotten) => {
      const { budget, wheel, taps, pass } = start({ perFlowBytes: 300_000 });
      const flows = taps(20);
      for (const { kind, who, bytes } of steps) {
        const flow = flows[who] as Tap;
        if (kind === "fill") flow.fill(bytes);
        else if (kind === "drain") flow.drain(bytes);
        else if (kind === "pass") pass(bytes);
        else {
          budget.forget(flow);
          flow.waitingBytes = 0;
          flow.isShed = false;
        }
        const held = flows.filter(({ isHeld }) => isHeld).length;
        expect(budget.heldFlows).toBe(held);
        // Whoever is held is still looked at.
        for (const one of flows) if (one.isHeld) expect(one.rosterPlace).toBeGreaterThanOrEqual(0);
        if (held > 0 || budget.isExhausted) expect(wheel.size).toBe(1);
      }
      for (const flow of flows) {
        if (areForgotten) budget.forget(flow);
        else flow.drain();
      }
      if (!areForgotten) pass(150);
      expect(flows.some(({ isHeld }) => isHeld)).toBe(false);
      expect([budget.isExhausted, budget.heldFlows, budget.usedBytes, wheel.size]).toEqual([false, 0, 0, 0]);
      expect(flows.every(({ budgetStanding }) => budgetStanding === undefined)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
