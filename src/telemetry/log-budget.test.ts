import { expect, test } from "vitest";
import { LogBudget } from "./log-budget.ts";

test("the first lines of each window are written, and the next one says how many were not", () => {
  let nowMs = 0;
  const budget = new LogBudget({ now: () => nowMs, linesPerWindow: 2, windowMs: 1_000 });
  const take = (key = "a"): number | undefined => budget.take(key);
  expect([take(), take(), take(), take(), take()]).toEqual([0, 0, undefined, undefined, undefined]);
  expect(take("b")).toBe(0);
  nowMs = 999;
  expect(take()).toBeUndefined();
  nowMs = 1_000;
  expect([take(), take(), take()]).toEqual([4, 0, undefined]);
});
