import { describe, expect, test } from "vitest";
import type { StatusDifference } from "../status/index.ts";
import { CountPace } from "./count-pace.ts";

const difference = (route: string, cause: "Serving" | "Counts"): StatusDifference => ({
  route,
  cause,
  generation: 1,
  conditions: [],
});
const many = (count: number, cause: "Serving" | "Counts"): StatusDifference[] =>
  Array.from({ length: count }, (_, index) => difference(`apps/r${String(index).padStart(4, "0")}`, cause));

function paceAt(clock: { nowMs: number }): { names: (all: StatusDifference[]) => string[]; pace: CountPace } {
  const pace = new CountPace(() => clock.nowMs);
  return { pace, names: (all) => pace.take(all).due.map(({ route }) => route) };
}

describe("how many there are", () => {
  test("is written at once after a quiet time, and then every 30 s", () => {
    const clock = { nowMs: 1000 };
    const { pace, names } = paceAt(clock);
    const one = [difference("apps/a", "Counts")];
    expect(names(one)).toEqual(["apps/a"]);
    clock.nowMs += 29_000;
    expect(pace.take(one)).toEqual({ due: [], againMs: 1000 });
    clock.nowMs += 1000;
    expect(pace.take(one)).toEqual({ due: one, againMs: undefined });
  });

  test("goes out a hundred at a time, and every route has its turn", () => {
    const clock = { nowMs: 0 };
    const { pace } = paceAt(clock);
    const written = new Set<string>();
    for (let round = 0; round < 10; round += 1) {
      const { due, againMs } = pace.take(many(1000, "Counts"));
      expect(due).toHaveLength(100);
      for (const { route } of due) written.add(route);
      clock.nowMs += againMs ?? 0;
    }
    expect(written.size).toBe(1000);
    expect(clock.nowMs).toBe(300_000);
  });
});

describe("that a route began or ceased to serve", () => {
  test("is written at once, in the middle of a round too", () => {
    const clock = { nowMs: 0 };
    const { names } = paceAt(clock);
    names([difference("apps/a", "Counts")]);
    clock.nowMs += 500;
    expect(names([difference("apps/a", "Serving")])).toEqual(["apps/a"]);
    clock.nowMs += 500;
    expect(names([difference("apps/a", "Serving")])).toEqual(["apps/a"]);
  });

  test("is held when it flaps, and a route that flaps holds no other", () => {
    const clock = { nowMs: 0 };
    const { names } = paceAt(clock);
    const flapping = difference("apps/flapping", "Serving");
    let written = 0;
    for (; clock.nowMs < 600_000; clock.nowMs += 500) written += names([flapping]).length;
    expect(written).toBeLessThanOrEqual(600 / 10 + 600 / 30);
    expect(names([flapping, difference("apps/other", "Serving")])).toContain("apps/other");
  });

  test("of a thousand at once goes out little by little", () => {
    const clock = { nowMs: 0 };
    const { names, pace } = paceAt(clock);
    const left = new Map(many(1000, "Serving").map((each) => [each.route, each]));
    let most = 0;
    for (; clock.nowMs < 600_000 && left.size > 0; clock.nowMs += 1000) {
      const due = names([...left.values()]);
      for (const route of due) left.delete(route);
      most = Math.max(most, due.length);
    }
    expect(left.size).toBe(0);
    expect(most).toBeLessThanOrEqual(200);
    expect(clock.nowMs).toBeLessThan(300_000);
    expect(pace.take([]).againMs).toBeUndefined();
  });
});
