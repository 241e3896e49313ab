import fc from "fast-check";
import { expect, test } from "vitest";
import { closesDue, idlestFirst } from "./shutdown-schedule.ts";

const totals = fc.integer({ min: 1, max: 100_000 });
const spread = fc.integer({ min: 1, max: 60_000 });

test("closes never go back, never exceed the total and are all due at the end of the spread", () => {
  fc.assert(
    fc.property(totals, spread, fc.array(fc.integer({ min: 0, max: 120_000 })), (n, spreadMs, times) => {
      let before = 0;
      for (const elapsedMs of times.sort((a, b) => a - b)) {
        const due = closesDue(n, elapsedMs, spreadMs);
        expect(due).toBeGreaterThanOrEqual(before);
        expect(due).toBeLessThanOrEqual(n);
        before = due;
      }
      expect(closesDue(n, spreadMs, spreadMs)).toBe(n);
    }),
  );
});

test("closes are spread evenly: no share of the time has more than its share of the closes", () => {
  fc.assert(
    fc.property(totals, spread, fc.double({ min: 0, max: 1, noNaN: true }), (n, spreadMs, part) => {
      const due = closesDue(n, part * spreadMs, spreadMs);
      expect(Math.abs(due - n * part)).toBeLessThanOrEqual(1);
    }),
  );
});

test.for([
  { name: "the first is closed at the beginning", args: [3, 0, 3_000], want: 1 },
  { name: "one alone is closed at the beginning", args: [1, 0, 3_000], want: 1 },
  { name: "none is due before the beginning", args: [3, -1, 3_000], want: 0 },
  { name: "without a spread all are due at once", args: [3, 0, 0], want: 3 },
  { name: "of none, none is due", args: [0, 10, 10], want: 0 },
] as const)("$name", ({ args: [total, elapsedMs, spreadMs], want }) => {
  expect(closesDue(total, elapsedMs, spreadMs)).toBe(want);
});

test("who has been silent longest is closed first", () => {
  const tunnels = [30, 10, 20].map((lastActiveAtMs) => ({ lastActiveAtMs }));
  expect(idlestFirst(tunnels).map(({ lastActiveAtMs }) => lastActiveAtMs)).toEqual([10, 20, 30]);
});
