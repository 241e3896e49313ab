import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEndpointSlice } from "./endpoint-slice.ts";
import { parseWebSocketRoute } from "./parse-route.ts";
import { parseService } from "./service.ts";

/** What a rule that says nothing of drains means. */
const KEPT = {
  onBackendRemoval: "Keep",
  onUnready: "Keep",
  onZeroWeight: "Keep",
  within: "25s",
  close: { code: 1012 },
};

/** What a rule that says nothing of these means. */
const UNSAID = {
  loadBalancing: { algorithm: "LeastTunnels", slowStart: "0s" },
  health: {
    panicPercent: 30,
    passive: {
      signs: ["DialFailure", "BadAnswer", "EarlyEnd"],
      failures: 5,
      ejectFor: "1s",
      ejectForAtMost: "30s",
      maxEjectedPercent: 50,
    },
  },
  retry: { reasons: ["Connect"], attempts: 1, budgetPercent: 20 },
  admission: {},
};

const HEAD = { apiVersion: "holdfast.dev/v1alpha1", kind: "WebSocketRoute" };

function parsed(object: unknown) {
  const result = parseWebSocketRoute(object);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.value;
}

describe("defaults", () => {
  test("the smallest route gets every default", () => {
    const spec = { rules: [{ backendRefs: [{ name: "chat", port: 8010 }] }] };
    expect(parsed({ ...HEAD, metadata: { name: "chat" }, spec })).toEqual({
      metadata: { name: "chat", namespace: "default" },
      spec: {
        rules: [
          {
            matches: [{ path: { type: "PathPrefix", value: "/" } }],
            backendRefs: [{ name: "chat", port: 8010, weight: 1 }],
            ...UNSAID,
            plainHTTP: "Forward",
            timeouts: { handshake: "10s", responseHeaders: "60s", request: "0s", idle: "0s" },
            keepalive: { ping: "30s", timeout: "20s", backendPing: "0s" },
            frames: { strictness: "Observe", onLimit: "Close" },
            drain: KEPT,
          },
        ],
      },
    });
  });

  test("what is written stays, what is left out beside it gets its default", () => {
    const rule = {
      matches: [{ path: { type: "Exact" } }, { subprotocols: ["chat"] }],
      backendRefs: [{ name: "chat", port: 8010, weight: 0 }],
      timeouts: { idle: "1h" },
      lifetime: { max: "12h" },
      keepalive: { ping: "0s" },
      frames: { maxMessageBytes: 1024 },
      drain: { onUnready: "Close", close: { reason: "moving on" } },
      loadBalancing: { slowStart: "1m" },
      affinity: { cookie: {} },
      health: { passive: { signs: [] }, active: { type: "HTTP" } },
      retry: { attempts: 0 },
      admission: { maxTunnels: 5, queue: {}, holdUntilReady: {} },
    };
    const [first] = parsed({ ...HEAD, metadata: { name: "chat" }, spec: { rules: [rule] } }).spec.rules;
    expect(first).toEqual({
      ...rule,
      matches: [
        { path: { type: "Exact", value: "/" } },
        { path: { type: "PathPrefix", value: "/" }, subprotocols: ["chat"] },
      ],
      loadBalancing: { algorithm: "LeastTunnels", slowStart: "1m" },
      affinity: { cookie: { path: "/", sameSite: "Lax", secure: false } },
      health: {
        panicPercent: 30,
        passive: { ...UNSAID.health.passive, signs: [] },
        active: { type: "HTTP", interval: "10s", timeout: "2s", unhealthyAfter: 3, healthyAfter: 2 },
      },
      retry: { reasons: ["Connect"], attempts: 0, budgetPercent: 20 },
      admission: {
        maxTunnels: 5,
        queue: { size: 100, timeout: "2s" },
        holdUntilReady: { size: 1000, timeout: "30s" },
      },
      plainHTTP: "Forward",
      timeouts: { handshake: "10s", responseHeaders: "60s", request: "0s", idle: "1h" },
      lifetime: { max: "12h", jitterPercent: 20 },
      keepalive: { ping: "0s", timeout: "20s", backendPing: "0s" },
      frames: { strictness: "Observe", maxMessageBytes: 1024, onLimit: "Close" },
      drain: { ...KEPT, onUnready: "Close", close: { code: 1012, reason: "moving on" } },
    });
  });

  test("metadata keeps what is used: name, namespace, generation, creation", () => {
    const metadata = { name: "chat", namespace: "apps", generation: 3, creationTimestamp: "2026-01-01T00:00:00Z" };
    const others = { uid: "1", labels: { a: "b" }, managedFields: [{}], resourceVersion: "9" };
    const spec = { rules: [{ backendRefs: [{ name: "chat", port: 8010 }] }] };
    expect(parsed({ ...HEAD, metadata: { ...metadata, ...others }, spec, status: 1 }).metadata).toEqual(metadata);
  });

  test("the manifest is not changed by being read", () => {
    const object = {
      ...HEAD,
      metadata: { name: "chat" },
      spec: { rules: [{ backendRefs: [{ name: "chat", port: 1 }] }] },
    };
    const before = structuredClone(object);
    parsed(object);
    expect(object).toEqual(before);
  });
});

/** A valid route with a random JSON value put in a random place of it. */
const spoiltRoute = fc
  .tuple(fc.jsonValue(), fc.array(fc.nat(20), { maxLength: 8 }))
  .map(([value, turns]) => spoil(structuredClone(RICH), turns, value));

const RICH: unknown = {
  ...HEAD,
  metadata: { name: "chat", namespace: "apps" },
  spec: {
    hostnames: ["chat.example.com"],
    rules: [
      {
        name: "app",
        matches: [
          { path: { type: "PathPrefix", value: "/a" }, headers: [{ name: "X-A", value: "1" }], subprotocols: ["b"] },
        ],
        backendRefs: [{ name: "chat", port: 8010, weight: 2 }],
        rewrite: { path: { type: "ReplacePrefixMatch", value: "/" }, host: "b.example" },
        requestHeaders: { set: [{ name: "X-A", value: "1" }], remove: ["X-B"] },
        timeouts: { idle: "1h" },
        lifetime: { max: "12h" },
        keepalive: { ping: "30s", timeout: "20s" },
        frames: { strictness: "Enforce", maxMessageBytes: 65_536, messagesPerSecond: 10, onLimit: "Pause" },
        affinity: { cookie: { name: "a", ttl: "1h", sameSite: "None", secure: true } },
        health: { passive: { signs: ["EarlyEnd"], ejectFor: "2s" }, active: { type: "HTTP", path: "/up", port: 8011 } },
        retry: { reasons: ["Connect", "502"], attempts: 2 },
        admission: { handshakesPerSecond: 100, queue: { size: 10 }, holdUntilReady: {} },
        drain: { onBackendRemoval: "Close", within: "1m", perSecond: 5, close: { code: 4001, reason: "moving on" } },
      },
    ],
  },
};

function spoil(object: unknown, turns: readonly number[], value: unknown): unknown {
  const [turn, ...rest] = turns;
  if (turn === undefined || typeof object !== "object" || object === null) return value;
  const keys = Object.keys(object);
  const key = keys[turn % (keys.length + 1)] ?? "extra";
  const holder = object as Record<string, unknown>;
  holder[key] = spoil(holder[key], rest, value);
  return object;
}

describe("whatever an object holds", () => {
  test("parsers answer, with a value or with issues, and never throw", () => {
    const anything = fc.oneof(fc.jsonValue(), fc.object(), fc.anything(), spoiltRoute);
    fc.assert(
      fc.property(anything, (object) => {
        for (const parse of [parseWebSocketRoute, parseService, parseEndpointSlice]) {
          const result = parse(object);
          if (!result.ok) expect(result.issues.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("issues of a spoilt route are said in our words", () => {
    fc.assert(
      fc.property(spoiltRoute, (object) => {
        const result = parseWebSocketRoute(object);
        if (result.ok) return;
        for (const { message } of result.issues) expect(message).not.toMatch(/^$|undefined|[Ii]nvalid/);
      }),
      { numRuns: 500 },
    );
  });

  test("reading what was read changes nothing", () => {
    fc.assert(
      fc.property(spoiltRoute, (object) => {
        const first = parseWebSocketRoute(object);
        if (!first.ok) return;
        expect(parseWebSocketRoute({ ...HEAD, ...first.value })).toEqual(first);
      }),
      { numRuns: 500 },
    );
  });

  test("a key named __proto__ is an unknown field and pollutes nothing", () => {
    const object = JSON.parse(
      '{"apiVersion":"holdfast.dev/v1alpha1","kind":"WebSocketRoute","metadata":{"name":"a","__proto__":{"x":1}},"spec":{"__proto__":{"rules":[]},"rules":[{"backendRefs":[{"name":"a","port":1}]}]}}',
    );
    expect(parseWebSocketRoute(object)).toEqual({
      ok: false,
      issues: [{ field: "spec.__proto__", message: "unknown field" }],
    });
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});
