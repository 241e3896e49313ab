import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mostInAWindow } from "./drain.fixture.ts";
import { Slots } from "./slots.ts";

const TICK_MS = 50;
/** Late timers are made up for so far back. */
const MADE_UP_MS = 4 * TICK_MS;
const BEGIN_MS = 1_000;

/** Places in slots, 0 to below 1: both edges among them. */
const places = fc.infiniteStream(
  fc.oneof(fc.constantFrom(0, 0.999_999), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
);
const windows = fc.integer({ min: 1, max: 120_000 });

interface Taken {
  readonly dueMs: number;
  readonly atMs: number;
}

/** Takes one after the other as soon as it is due, each so late as `lateness` says. */
function takeAll(slots: Slots, count: number, lateness: (index: number) => number, fromMs = BEGIN_MS): Taken[] {
  let nowMs = fromMs;
  return Array.from({ length: count }, (_, index) => {
    const dueMs = slots.dueMs(count - index);
    nowMs = Math.max(nowMs, dueMs + lateness(index));
    slots.take(count - index, nowMs);
    return { dueMs, atMs: nowMs };
  });
}

function slotsOf(lengthMs: number, random: Iterator<number>): Slots {
  const next = (): number => Number(random.next().value);
  return new Slots({ beginMs: BEGIN_MS, endMs: BEGIN_MS + lengthMs }, next, TICK_MS);
}

/** A share of 4 to 400 in a second, over 1 to 60 s. */
const crowds = fc
  .record({ lengthMs: fc.integer({ min: 1_000, max: 60_000 }), share: fc.double({ min: 4, max: 400, noNaN: true }) })
  .map(({ lengthMs, share }) => ({ lengthMs, count: Math.ceil((share * lengthMs) / 1_000) }))
  .filter(({ count }) => count <= 3_000);

describe("with a count that stays", () => {
  test("each is due in the middle half of its own slot: never before it, the last within the time", () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 300 }), places, (lengthMs, count, random) => {
        const slot = lengthMs / count;
        const taken = takeAll(slotsOf(lengthMs, random), count, () => 0);
        for (const [index, { dueMs }] of taken.entries()) {
          const place = (dueMs - BEGIN_MS) / slot - index;
          expect(place).toBeGreaterThanOrEqual(0.25 - 1e-6);
          expect(place).toBeLessThanOrEqual(0.75 + 1e-6);
        }
      }),
    );
  });

  test("no second has more than 1.5 times its share, though each timer may be a tick late", () => {
    fc.assert(
      fc.property(crowds, places, fc.infiniteStream(fc.nat(TICK_MS)), ({ lengthMs, count }, random, lateness) => {
        const taken = takeAll(slotsOf(lengthMs, random), count, () => lateness.next().value);
        const most = mostInAWindow(
          taken.map(({ atMs }) => atMs),
          1_000,
        );
        expect(most).toBeLessThanOrEqual((1.5 * count * 1_000) / lengthMs);
      }),
    );
  });

  test("random places are used: two runs do not march in step", () => {
    const due = (place: number): number => new Slots({ beginMs: 0, endMs: 1_000 }, () => place, TICK_MS).dueMs(1);
    expect([due(0), due(0.5), due(0.999)].map(Math.round)).toEqual([250, 500, 750]);
  });
});

describe("with timers that are late", () => {
  const stalls = fc.infiniteStream(
    fc.oneof({ weight: 20, arbitrary: fc.nat(TICK_MS) }, { weight: 1, arbitrary: fc.nat(30_000) }),
  );

  test("whatever they miss, the last is due by the end, or at once behind it", () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 300 }), places, stalls, (lengthMs, count, random, lateness) => {
        let beforeMs = BEGIN_MS;
        for (const { dueMs, atMs } of takeAll(slotsOf(lengthMs, random), count, () => lateness.next().value)) {
          expect(dueMs).toBeLessThanOrEqual(Math.max(BEGIN_MS + lengthMs, beforeMs) + 1e-6);
          beforeMs = atMs;
        }
      }),
    );
  });

  test("what a long stall missed is spread over what is left: at once comes only what belongs to four ticks", () => {
    fc.assert(
      fc.property(places, fc.integer({ min: 200, max: 15_000 }), (random, stallMs) => {
        const lengthMs = 20_000;
        const count = 400;
        const taken = takeAll(slotsOf(lengthMs, random), count, (index) => (index === 50 ? stallMs : 0));
        const stalledAtMs = taken[50]?.atMs ?? 0;
        const leftMs = BEGIN_MS + lengthMs - stalledAtMs + MADE_UP_MS;
        const atOnce = taken.filter(({ atMs }) => atMs === stalledAtMs).length;
        expect(atOnce).toBeLessThanOrEqual(((count - 50) * MADE_UP_MS) / leftMs + 2);
        const after = taken.filter(({ atMs }) => atMs > stalledAtMs).map(({ atMs }) => atMs);
        const share = ((count - 50) * 1_000) / leftMs;
        expect(mostInAWindow(after, 1_000)).toBeLessThanOrEqual(Math.max(1.5 * share, share + 2));
      }),
    );
  });
});

describe("with counts and times that change", () => {
  test("many that join late are spread like the others: no second has more than 1.5 times the share of what is left", () => {
    fc.assert(
      fc.property(
        places,
        fc.integer({ min: 0, max: 4_000 }),
        fc.integer({ min: 1, max: 3 }),
        (random, passedMs, few) => {
          const slots = slotsOf(20_000, random);
          const nowMs = BEGIN_MS + passedMs;
          let waiting = few;
          while (waiting > 0 && slots.dueMs(waiting) <= nowMs) slots.take(waiting--, slots.dueMs(waiting + 1));
          waiting += 200;
          slots.grew(waiting, nowMs);
          const times = takeAll(slots, waiting, () => 0, nowMs).map(({ atMs }) => atMs);
          expect(mostInAWindow(times, 1_000)).toBeLessThanOrEqual((1.5 * waiting * 1_000) / (20_000 - passedMs));
          expect(Math.max(...times)).toBeLessThanOrEqual(BEGIN_MS + 20_000);
        },
      ),
    );
  });

  test("in any mix of joins, departures and new times nothing is due before the present slot, and none is late", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom("join" as const, "leave" as const), size: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant("restart" as const), size: fc.integer({ min: 0, max: 30_000 }) }),
      fc.record({ kind: fc.constant("pass" as const), size: fc.integer({ min: 0, max: 3_000 }) }),
    );
    fc.assert(
      fc.property(windows, places, fc.array(step, { maxLength: 60 }), (lengthMs, random, steps) => {
        const slots = slotsOf(lengthMs, random);
        let nowMs = BEGIN_MS;
        let endMs = BEGIN_MS + lengthMs;
        let waiting = 5;
        slots.grew(waiting, nowMs);
        const passTo = (untilMs: number): void => {
          while (waiting > 0 && Math.max(nowMs, slots.dueMs(waiting)) <= untilMs) {
            nowMs = Math.max(nowMs, slots.dueMs(waiting));
            slots.take(waiting, nowMs);
            waiting--;
          }
          nowMs = untilMs;
        };
        for (const { kind, size } of [...steps, { kind: "pass" as const, size: 200_000 }]) {
          if (kind === "join") {
            waiting += size;
            slots.grew(waiting, nowMs);
          } else if (kind === "leave") waiting = Math.max(0, waiting - size);
          else if (kind === "pass") passTo(nowMs + size);
          else {
            endMs = nowMs + size;
            slots.restart({ beginMs: nowMs, endMs });
            if (waiting > 0) expect(slots.dueMs(waiting)).toBeGreaterThanOrEqual(nowMs);
          }
          if (waiting > 0) expect(slots.dueMs(waiting)).toBeLessThanOrEqual(Math.max(endMs, nowMs) + 1e-6);
        }
        expect(waiting).toBe(0);
      }),
    );
  });

  test.for([
    { name: "when nobody has been taken yet", taken: [] },
    { name: "when the only one was taken, so that all other time belonged to its slot", taken: [2_500] },
  ])("many join a drain that was empty $name: none is due at once, and they are spread", ({ taken }) => {
    const slots = new Slots({ beginMs: 0, endMs: 20_000 }, () => 0.5, TICK_MS);
    for (const atMs of taken) slots.take(1, atMs);
    slots.grew(100, 10_000);
    const times = takeAll(slots, 100, () => 0, 10_000).map(({ atMs }) => atMs);
    expect(mostInAWindow(times, 50)).toBe(1);
    expect(mostInAWindow(times, 1_000)).toBeLessThanOrEqual(15);
  });

  test("one that joins after each that is taken does not hasten the others", () => {
    const slots = new Slots({ beginMs: 0, endMs: 100_000 }, () => 0.5, TICK_MS);
    const times: number[] = [];
    for (let nowMs = 0; nowMs < 50_000; ) {
      nowMs = slots.dueMs(100);
      times.push(nowMs);
      slots.take(100, nowMs);
      slots.grew(100, nowMs);
    }
    expect(mostInAWindow(times, 10_000)).toBeLessThanOrEqual(1.5 * 20);
  });

  test("a time of no length is over at once", () => {
    const slots = new Slots({ beginMs: 0, endMs: 0 }, () => 0.5, TICK_MS);
    expect(takeAll(slots, 100, () => 0, 0).every(({ atMs }) => atMs === 0)).toBe(true);
  });
});

test("whoever stays behind hastens by 1.4 at most, into the reserve, and is done when that ends", () => {
  const slots = new Slots({ beginMs: 0, endMs: 10_000, reserveEndMs: 12_000 }, () => 0.5, 50);
  slots.grew(1_000, 0);
  const times: number[] = [];
  // Asked once in half a second: more than is made up for each time.
  for (let nowMs = 0; times.length < 1_000; nowMs += nowMs < 6_000 ? 500 : 50) {
    for (let left = 1_000 - times.length; left > 0 && slots.dueMs(left) <= nowMs; left--) {
      slots.take(left, nowMs);
      times.push(nowMs);
    }
  }
  expect(times.filter((time) => time <= 6_000).length).toBeLessThan(500);
  expect(
    mostInAWindow(
      times.filter((time) => time > 6_200),
      1_000,
    ),
  ).toBeLessThanOrEqual(1.4 * 100 + 10);
  expect(times.at(-1)).toBeGreaterThan(10_000);
  expect(times.at(-1)).toBeLessThanOrEqual(12_050);
});
