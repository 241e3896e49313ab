import { expect, test } from "vitest";
import type { RetryPolicy, RuleId } from "../routing/index.ts";
import { RetryBudget, RetryBudgets } from "./retry-budget.ts";

function policy(budgetPercent: number): RetryPolicy {
  return { on: ["Connect"], attempts: 9, budgetPercent };
}

/** Spends all there is, and says how much that was. */
function drain(budget: RetryBudget, percent: number, nowMs: number): number {
  let spent = 0;
  while (budget.hasLeft(policy(percent), nowMs)) {
    budget.spend(policy(percent));
    spent++;
  }
  return spent;
}

function earn(budget: RetryBudget, requests: number, nowMs: number): void {
  for (let i = 0; i < requests; i++) budget.earn(nowMs);
}

test("there are ten a second for nothing, and a share of the requests beside them", () => {
  const budget = new RetryBudget(0);
  expect(drain(budget, 20, 0)).toBe(10);
  expect(drain(budget, 20, 500)).toBe(5);
  earn(budget, 1_000, 500);
  expect(drain(budget, 20, 500)).toBe(200);
  expect(drain(budget, 20, 60_000)).toBe(10);
});

test("what was earned long ago is not there any more", () => {
  const budget = new RetryBudget(0);
  earn(budget, 1_000, 0);
  expect(drain(budget, 20, 4_999)).toBe(210);
  const other = new RetryBudget(0);
  earn(other, 1_000, 0);
  expect(drain(other, 20, 10_001)).toBe(10);
});

test("with 0 percent there are the ten only", () => {
  const budget = new RetryBudget(0);
  earn(budget, 1_000, 0);
  expect(drain(budget, 0, 0)).toBe(10);
});

test("over a long outage tries stay within the share of all requests and ten a second", () => {
  const budget = new RetryBudget(0);
  let spent = 0;
  let requests = 0;
  for (let ms = 0; ms <= 120_000; ms += 10) {
    // Busy and quiet times in turn.
    const now = Math.floor(ms / 7_000) % 2 === 0 ? 5 : 0;
    earn(budget, now, ms);
    requests += now;
    spent += drain(budget, 20, ms);
    expect(spent).toBeLessThanOrEqual(requests * 0.2 + 10 + ms / 100);
  }
  expect(spent).toBeGreaterThan(requests * 0.19);
});

test("rules have their own, and nothing of a rule that is gone", () => {
  const budgets = new RetryBudgets();
  const [a, b] = ["a", "b"] as unknown as readonly [RuleId, RuleId];
  expect(budgets.earn(a, 0)).toBe(budgets.earn(a, 0));
  expect(budgets.earn(b, 0)).not.toBe(budgets.earn(a, 0));
  budgets.forgetRules([a]);
  expect(budgets.size).toBe(1);
});
