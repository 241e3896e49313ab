import { expect, test } from "vitest";
import { LiveRules } from "./live-rules.ts";
import { entry } from "./proxy.fixture.ts";

const before = entry({ policy: { idleMs: 1_000 } }).rule;
const after = entry({ policy: { idleMs: 2_000 } }).rule;
const other = entry({ name: "other", policy: { idleMs: 9_000 } }).rule;

test("a tunnel follows the rule of its id", () => {
  const live = new LiveRules();
  const policy = live.enter(before);
  expect(live.follow([other, after])).toBe(true);
  expect(policy.current.idleMs).toBe(2_000);
});

test("a change that does not touch tunnels is none", () => {
  const live = new LiveRules();
  live.enter(before);
  const edited = { ...before, rewrite: { path: undefined, host: "b.example" } };
  expect(live.follow([edited, other])).toBe(false);
});

test("a handshake decided by the rule of before joins the one in force", () => {
  const live = new LiveRules();
  live.enter(before);
  live.follow([after]);
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
  expect(live.follow([after])).toBe(false);
});
