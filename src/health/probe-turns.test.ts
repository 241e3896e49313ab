import fc from "fast-check";
import { expect, test } from "vitest";
import { type ProbeTurn, ProbeTurns } from "./probe-turns.ts";

function setUp(most: number, mostOfLane: number) {
  const turns = new ProbeTurns({ most, mostOfLane });
  const begun: string[] = [];
  const take = (lane: string, name: string): ProbeTurn => turns.take(lane, () => void begun.push(name));
  return { turns, begun, take };
}

test("so many begin at once, the others in the order of their coming as one ends", () => {
  const { begun, take } = setUp(2, 2);
  const [first, second] = ["a", "b", "c", "d"].map((name) => take("apps", name));
  expect(begun).toEqual(["a", "b"]);
  second?.end();
  expect(begun).toEqual(["a", "b", "c"]);
  first?.end();
  expect(begun).toEqual(["a", "b", "c", "d"]);
});

test("a lane that would take all leaves room for another, and those that wait are served in turn", () => {
  const { begun, take } = setUp(4, 3);
  const greedy = Array.from({ length: 10 }, (_, i) => take("greedy", `g${i}`));
  expect(begun).toEqual(["g0", "g1", "g2"]);
  take("other", "o0");
  take("other", "o1");
  expect(begun.splice(0)).toEqual(["g0", "g1", "g2", "o0"]);
  greedy[0]?.end();
  greedy[1]?.end();
  expect(begun.toSorted()).toEqual(["g3", "o1"]);
});

test("who gives up while it waits is passed over, and a turn that ends twice ends once", () => {
  const { turns, begun, take } = setUp(1, 1);
  const first = take("apps", "a");
  take("apps", "b").end();
  take("apps", "c");
  take("apps", "d");
  first.end();
  first.end();
  expect(begun).toEqual(["a", "c"]);
  expect(turns.running).toBe(1);
});

test("whatever comes and goes: never more than the bounds, and nobody waits while there is room", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("take" as const), lane: fc.constantFrom("a", "b", "c") }),
    fc.record({ kind: fc.constant("end" as const), at: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const turns = new ProbeTurns({ most: 5, mostOfLane: 2 });
      const held: { turn: ProbeTurn; lane: string; isRunning: boolean }[] = [];
      for (const each of steps) {
        if (each.kind === "take") {
          const one = { turn: { end: () => {} } as ProbeTurn, lane: each.lane, isRunning: false };
          one.turn = turns.take(each.lane, () => void (one.isRunning = true));
          held.push(one);
        } else if (held.length > 0) {
          held.splice(each.at % held.length, 1)[0]?.turn.end();
        }
        const running = held.filter(({ isRunning }) => isRunning);
        expect(turns.running).toBe(running.length);
        expect(running.length).toBeLessThanOrEqual(5);
        for (const lane of ["a", "b", "c"]) {
          const here = held.filter((one) => one.lane === lane);
          const begun = here.filter(({ isRunning }) => isRunning).length;
          expect(begun).toBeLessThanOrEqual(2);
          if (begun < here.length) expect(begun === 2 || running.length === 5).toBe(true);
        }
      }
    }),
  );
});
