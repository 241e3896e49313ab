import { expect, test } from "vitest";
import type { CompiledRule } from "../routing/index.ts";
import { LiveRules } from "./live-rules.ts";
import { entry } from "./proxy.fixture.ts";

const before = entry({ policy: { idleMs: 1_000 } }).rule;
const after = entry({ policy: { idleMs: 2_000 } }).rule;
const other = entry({ name: "other", policy: { idleMs: 9_000 } }).rule;

const changed = (...rules: CompiledRule[]) => new Map(rules.map((rule) => [rule.id, rule]));

test("a tunnel follows the rule of its id", () => {
  const live = new LiveRules();
  const policy = live.enter(before);
  expect(live.follow(changed(other, after))).toBe(true);
  expect(policy.current.idleMs).toBe(2_000);
});

test("it follows however many rules changed and however many are live", () => {
  const live = new LiveRules();
  const policies = [before, other].map((rule) => live.enter(rule));
  expect(live.follow(changed(after))).toBe(true);
  const absent = ["a", "b", "c"].map((name) => entry({ name }).rule);
  expect(live.follow(changed(...absent, { ...other, policy: { ...other.policy, idleMs: 3 } }))).toBe(true);
  expect(policies.map((policy) => policy.current.idleMs)).toEqual([2_000, 3]);
});

test("a change that does not touch tunnels is none", () => {
  const live = new LiveRules();
  live.enter(before);
  const edited = { ...before, rewrite: { path: undefined, host: "b.example" } };
  expect(live.follow(changed(edited, other))).toBe(false);
});

test("a handshake decided by the rule of before joins the one in force", () => {
  const live = new LiveRules();
  live.enter(before);
  live.follow(changed(after));
  expect(live.enter(before).current.idleMs).toBe(2_000);
});

test("entries vanish with their last tunnel", () => {
  const live = new LiveRules();
  live.enter(before);
  live.enter(before);
  live.leave(before.id);
  expect(live.size).toBe(1);
  live.leave(before.id);
  live.leave(before.id);
  expect(live.size).toBe(0);
  expect(live.follow(changed(after))).toBe(false);
});
