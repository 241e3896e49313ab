import { describe, expect, test } from "vitest";
import type { CompiledRule, RulePolicy, UpstreamKey } from "../routing/index.ts";
import { LiveRules } from "./live-rules.ts";
import { entry } from "./proxy.fixture.ts";

const before = entry({ policy: { idleMs: 1_000 } }).rule;
const after = entry({ policy: { idleMs: 2_000 } }).rule;
const other = entry({ name: "other", policy: { idleMs: 9_000 } }).rule;

const changed = (...rules: CompiledRule[]) => new Map(rules.map((rule) => [rule.id, rule]));

test("a tunnel follows the rule of its id", () => {
  const live = new LiveRules();
  const policy = live.enter(before);
  expect(live.follow(changed(other, after)).hasPolicies).toBe(true);
  expect(policy.current.idleMs).toBe(2_000);
});

test("it follows however many rules changed and however many are live", () => {
  const live = new LiveRules();
  const policies = [before, other].map((rule) => live.enter(rule));
  expect(live.follow(changed(after)).hasPolicies).toBe(true);
  const absent = ["a", "b", "c"].map((name) => entry({ name }).rule);
  expect(live.follow(changed(...absent, { ...other, policy: { ...other.policy, idleMs: 3 } })).hasPolicies).toBe(true);
  expect(policies.map((policy) => policy.current.idleMs)).toEqual([2_000, 3]);
});

/** Every field of a rule's policy, each with a value that it does not have in `before`. */
const EDITS: Readonly<{ [Field in keyof RulePolicy]: RulePolicy[Field] }> = {
  plainHTTP: "Reject",
  handshakeMs: 1,
  responseHeadersMs: 1,
  requestMs: 1,
  idleMs: 1,
  lifetimeMs: 1,
  lifetimeJitterPercent: 1,
  pingMs: 1,
  backendPingMs: 1,
  pongTimeoutMs: 1,
  strictness: "Enforce",
  maxMessageBytes: 1,
  maxFragments: 1,
  messagesPerSecond: 1,
  bytesPerSecond: 1,
  controlFramesPerSecond: 1,
  onLimit: "Pause",
  drain: { ...before.policy.drain, onBackendRemoval: "Close" },
  balancing: { algorithm: "Random" },
  slowStartMs: 1,
  affinity: { cookieName: "c", ttlMs: 0, path: "/", sameSite: "Lax", isSecure: false },
  health: { ...before.policy.health, panicPercent: 1 },
  retry: { on: [], attempts: 0, budgetPercent: 0 },
  admission: { ...before.policy.admission, maxTunnels: 1 },
};
/** What is over when the tunnel begins, and what drains read of the rule themselves. */
const NOT_FOR_THE_RELAY = new Set([
  "plainHTTP",
  "handshakeMs",
  "responseHeadersMs",
  "requestMs",
  "balancing",
  "slowStartMs",
  "affinity",
  "health",
  "retry",
  "admission",
  "drain",
]);
const edits = Object.entries(EDITS).map(([field, value]) => ({ field, value }));

test.for(edits.filter(({ field }) => !NOT_FOR_THE_RELAY.has(field)))(
  "an edit of $field alone reaches live tunnels, once, and takes nothing else along",
  ({ field, value }) => {
    const live = new LiveRules();
    const policy = live.enter(before);
    const old = policy.current;
    const edited = { ...before, policy: { ...before.policy, [field]: value } };
    expect(live.follow(changed(edited)).hasPolicies).toBe(true);
    expect(policy.current).toEqual({ ...old, [field]: value });
    expect(live.follow(changed(edited)).hasPolicies).toBe(false);
  },
);

test("a change that does not touch tunnels is none", () => {
  const live = new LiveRules();
  const { current } = live.enter(before);
  const edited = { ...before, rewrite: { path: undefined, host: "b.example" } };
  expect(live.follow(changed(edited, other)).hasPolicies).toBe(false);
  for (const { field, value } of edits.filter((edit) => NOT_FOR_THE_RELAY.has(edit.field))) {
    expect(live.follow(changed({ ...before, policy: { ...before.policy, [field]: value } })).hasPolicies).toBe(false);
    expect(current).not.toHaveProperty(field);
  }
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
  expect(live.follow(changed(after)).hasPolicies).toBe(false);
});

describe("what says something else of leaving", () => {
  const shares = (weight: number) => [{ upstream: "apps/chat:80" as UpstreamKey, weight }];
  const rule = { ...before, backends: shares(1) };
  test.for([
    { name: "an edit of drain", edited: { ...rule, policy: { ...rule.policy, drain: EDITS.drain } } },
    { name: "another weight", edited: { ...rule, backends: shares(0) } },
    { name: "an upstream taken out", edited: { ...rule, backends: [] } },
    { name: "another upstream", edited: { ...rule, backends: [{ upstream: "apps/b:80" as UpstreamKey, weight: 1 }] } },
  ])("$name is told, once, and is what tunnels follow", ({ edited }) => {
    const live = new LiveRules();
    live.enter(rule);
    expect([...live.follow(changed(edited)).leaving]).toEqual([rule.id]);
    expect(live.get(rule.id)).toBe(edited);
    expect([...live.follow(changed({ ...edited })).leaving]).toEqual([]);
  });

  test("no other edit is, nor one of a rule without tunnels", () => {
    const live = new LiveRules();
    live.enter(rule);
    const edited = { ...rule, policy: { ...rule.policy, idleMs: 9 } };
    expect([...live.follow(changed(edited, { ...other, backends: shares(0) })).leaving]).toEqual([]);
    expect(live.get(rule.id)).toBe(edited);
    expect(live.get(other.id)).toBeUndefined();
  });
});
