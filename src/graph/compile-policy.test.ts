import { describe, expect, test } from "vitest";
import type { RulePolicy } from "../routing/index.ts";
import { build, route, service } from "./graph.fixture.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What the data thread is told of the rules of a route, by their paths, which are `/0`, `/1` and so on. */
function policiesOf(rules: readonly Fields[], name = "chat"): readonly RulePolicy[] {
  const withBackends = rules.map((rule, index) => ({
    matches: [{ path: { type: "Exact", value: `/${index}` } }],
    backendRefs: [{ name: "chat", port: 80 }],
    ...rule,
  }));
  const graph = build({
    WebSocketRoute: { [`apps/${name}`]: route(name, { rules: withBackends }) },
    Service: { "apps/chat": service("chat") },
  });
  const entries = graph.hosts.get("chat.example.com") ?? [];
  return entries.toSorted((a, b) => (a.match.path.value < b.match.path.value ? -1 : 1)).map(({ rule }) => rule.policy);
}

function policyOf(rule: Fields): RulePolicy {
  return policiesOf([rule])[0]!;
}

const PASSIVE = {
  signs: ["DialFailure", "BadAnswer", "EarlyEnd"],
  failures: 5,
  ejectMs: 1_000,
  longestEjectMs: 30_000,
  maxEjectedPercent: 50,
};
const UNLIMITED = {
  maxTunnels: 0,
  maxTunnelsPerBackend: 0,
  handshakesPerSecond: 0,
  queueSize: 0,
  queueMs: 0,
  holdSize: 0,
  holdMs: 0,
};

describe("what a rule does not say", () => {
  const EMPTY = { loadBalancing: {}, health: { passive: {} }, retry: {}, admission: {} };

  test.for([
    ["nothing", {}],
    ["empty objects", EMPTY],
  ] as const)("is its default, off being 0 or undefined, when it says %s", ([, rule]) => {
    const { slowStartMs, affinity, health, retry, admission } = policyOf(rule);
    expect({ slowStartMs, affinity, health, retry, admission }).toEqual({
      slowStartMs: 0,
      affinity: undefined,
      health: { panicPercent: 30, passive: PASSIVE, active: undefined },
      retry: { on: ["Connect"], attempts: 1, budgetPercent: 20 },
      admission: UNLIMITED,
    });
  });
});

test("a slow start is in milliseconds", () => {
  expect(policyOf({ loadBalancing: { slowStart: "1m30s" } }).slowStartMs).toBe(90_000);
});

describe("the affinity of a rule", () => {
  const affinity = { cookie: {} };
  const cookieNames = (rules: readonly Fields[], name?: string) =>
    policiesOf(rules, name).map((policy) => policy.affinity?.cookieName);

  test("has its defaults when an empty cookie is said", () => {
    expect(policyOf({ affinity }).affinity).toEqual({
      cookieName: expect.stringMatching(/^holdfast-[0-9a-f]{8}$/),
      ttlMs: 0,
      path: "/",
      sameSite: "Lax",
      isSecure: false,
    });
  });

  test("has what is said", () => {
    const cookie = { name: "stick", ttl: "2h", path: "/a", sameSite: "None", secure: true };
    expect(policyOf({ affinity: { cookie } }).affinity).toEqual({
      cookieName: "stick",
      ttlMs: 7_200_000,
      path: "/a",
      sameSite: "None",
      isSecure: true,
    });
  });

  test("has another cookie in each rule and in each route, or they would take each other's away", () => {
    const rules = [{ name: "a", affinity }, { name: "b", affinity }, { affinity }];
    const names = [...cookieNames(rules), ...cookieNames(rules, "other")];
    expect(new Set(names).size).toBe(6);
  });

  test("keeps its cookie over edits and a new place among the rules, and over releases of Holdfast", () => {
    const before = cookieNames([{ name: "a", affinity }, { name: "b" }]);
    const after = cookieNames([{ name: "b" }, { name: "a", affinity: { cookie: { ttl: "1h" } }, plainHTTP: "Reject" }]);
    expect(after[1]).toBe(before[0]);
    // As clients have it in their browsers.
    expect(before[0]).toBe("holdfast-04061cbf");
  });
});

describe("the health of a rule", () => {
  test("has what is said of passive health, in milliseconds", () => {
    const passive = { signs: ["EarlyEnd"], failures: 2, ejectFor: "2s", ejectForAtMost: "1m", maxEjectedPercent: 0 };
    expect(policyOf({ health: { panicPercent: 0, passive } }).health).toEqual({
      panicPercent: 0,
      passive: { signs: ["EarlyEnd"], failures: 2, ejectMs: 2_000, longestEjectMs: 60_000, maxEjectedPercent: 0 },
      active: undefined,
    });
  });

  test("has no sign where none is said to count", () => {
    expect(policyOf({ health: { passive: { signs: [] } } }).health.passive).toEqual({ ...PASSIVE, signs: [] });
  });

  test.for(["TCP", "HTTP", "WebSocket"])("has a probe by %s with its defaults", (type) => {
    expect(policyOf({ health: { active: { type } } }).health.active).toEqual({
      key: expect.any(String),
      type,
      path: "/",
      host: undefined,
      port: 0,
      intervalMs: 10_000,
      timeoutMs: 2_000,
      unhealthyAfter: 3,
      healthyAfter: 2,
    });
  });

  const FULL = {
    type: "HTTP",
    path: "/up?a=b",
    host: "a.internal",
    port: 8011,
    interval: "1m",
    timeout: "1s",
    unhealthyAfter: 1,
    healthyAfter: 4,
  };
  const keysOf = (...probes: readonly object[]) =>
    policiesOf(probes.map((active) => ({ health: { active } }))).map(({ health }) => health.active?.key);

  test("has what is said of a probe", () => {
    expect(policyOf({ health: { active: FULL } }).health.active).toEqual({
      key: expect.any(String),
      type: "HTTP",
      path: "/up?a=b",
      host: "a.internal",
      port: 8011,
      intervalMs: 60_000,
      timeoutMs: 1_000,
      unhealthyAfter: 1,
      healthyAfter: 4,
    });
  });

  test("has one key with every rule that asks for the same, however it is written", () => {
    const [written, otherwise] = keysOf(FULL, { ...FULL, interval: "0m60s", timeout: "1000ms" });
    expect(otherwise).toBe(written);
    const [unsaid, said] = keysOf({ type: "HTTP" }, { type: "HTTP", path: "/", interval: "10s", healthyAfter: 2 });
    expect(said).toBe(unsaid);
  });

  test.for([
    { type: "WebSocket" },
    { path: "/up" },
    { host: "b.internal" },
    { host: undefined },
    { port: 8012 },
    { port: undefined },
    { interval: "61s" },
    { timeout: "2s" },
    { unhealthyAfter: 2 },
    { healthyAfter: 3 },
  ])("has a key of its own where %o differs", (other) => {
    const [key, otherKey] = keysOf(FULL, { ...FULL, ...other });
    expect(otherKey).not.toBe(key);
  });
});

test("the retry of a rule has what is said", () => {
  const retry = { reasons: ["Timeout", "503"], attempts: 3, budgetPercent: 0 };
  expect(policyOf({ retry }).retry).toEqual({ on: ["Timeout", "503"], attempts: 3, budgetPercent: 0 });
  expect(policyOf({ retry: { reasons: [] } }).retry.on).toEqual([]);
});

describe("the admission of a rule", () => {
  test.for([
    { said: { maxTunnels: 7 }, want: { maxTunnels: 7 } },
    { said: { maxTunnelsPerBackend: 7 }, want: { maxTunnelsPerBackend: 7 } },
    { said: { handshakesPerSecond: 7 }, want: { handshakesPerSecond: 7 } },
    { said: { maxTunnels: 1, queue: {} }, want: { maxTunnels: 1, queueSize: 100, queueMs: 2_000 } },
    {
      said: { maxTunnels: 1, queue: { size: 3, timeout: "500ms" } },
      want: { maxTunnels: 1, queueSize: 3, queueMs: 500 },
    },
    { said: { holdUntilReady: {} }, want: { holdSize: 1000, holdMs: 30_000 } },
    { said: { holdUntilReady: { size: 3, timeout: "2m" } }, want: { holdSize: 3, holdMs: 120_000 } },
  ])("$said is $want", ({ said, want }) => {
    expect(policyOf({ admission: said }).admission).toEqual({ ...UNLIMITED, ...want });
  });
});
