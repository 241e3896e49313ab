import { describe, expect, test } from "vitest";
import type { RuleId, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import type { BalancedRule, Lease, UpstreamRegistry } from "./index.ts";
import {
  addressOf,
  CHAT,
  endpoint,
  endpoints,
  HASHED,
  idOf,
  registryOf,
  ruleOf,
  WISH,
  wish,
} from "./upstream.fixture.ts";

const OTHER = "apps/other:80" as UpstreamKey;

function limited(maxTunnelsPerBackend: number, how: Parameters<typeof ruleOf>[0] = "LeastTunnels"): BalancedRule {
  return ruleOf(how, { [CHAT]: 1 }, { admission: { ...QUIET_POLICY.admission, maxTunnelsPerBackend } });
}

function take(registry: UpstreamRegistry, rule: BalancedRule, count: number): readonly (Lease | undefined)[] {
  return Array.from({ length: count }, (_, n) => registry.acquire(rule, wish({ hashKey: `${n}` })));
}

function words(registry: UpstreamRegistry): readonly string[] {
  return [...registry.backends()].map(({ backend, isFull }) => `${backend.address} ${isFull ? "full" : "has room"}`);
}

describe.for(["LeastTunnels", "RoundRobin", "Random", HASHED] as const)("maxTunnelsPerBackend with %o", (how) => {
  test("no backend gets more, and when all have it there is no room", () => {
    const registry = registryOf(3);
    const rule = limited(4, how);
    const leases = take(registry, rule, 20);
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(12);
    expect(registry.roomFor(rule)).toBe("full");
    leases[0]?.release("closed");
    expect(registry.roomFor(rule)).toBe("room");
    expect(registry.acquire(rule, WISH)?.backend.address).toBe(leases[0]?.backend.address);
  });
});

test("tunnels of all rules count, plain requests do not, and are not limited", () => {
  const registry = registryOf(1);
  const rule = limited(3);
  const request = wish({ use: "request" });
  for (let n = 0; n < 5; n++) expect(registry.acquire(rule, request)).toBeDefined();
  const other = { ...ruleOf("LeastTunnels"), id: "apps/other/0" as RuleId };
  registry.acquire(other, WISH)?.opened();
  registry.acquire(other, WISH);
  expect(registry.acquire(rule, WISH)).toBeDefined();
  expect(registry.acquire(rule, WISH)).toBeUndefined();
  expect(registry.acquire(other, WISH)).toBeDefined();
  expect(registry.acquire(rule, request)).toBeDefined();
});

test("the weight of an upstream whose backends are all full goes to the others", () => {
  const registry = registryOf(1);
  registry.setEndpoints(OTHER, [endpoint("10.1.0.1"), endpoint("10.1.0.2")]);
  const admission = { ...QUIET_POLICY.admission, maxTunnelsPerBackend: 10 };
  const rule = ruleOf("LeastTunnels", { [CHAT]: 9, [OTHER]: 1 }, { admission });
  const where = take(registry, rule, 30).map((lease) => lease?.backend.upstream);
  expect(where.filter((upstream) => upstream === CHAT)).toHaveLength(10);
  expect(where.filter((upstream) => upstream === OTHER)).toHaveLength(20);
});

test("an ejected backend is not used because the others are full", () => {
  const registry = registryOf(2);
  const rule = limited(2);
  const [first] = take(registry, rule, 1);
  first?.release("dialFailed");
  expect(take(registry, rule, 3).filter((lease) => lease !== undefined)).toHaveLength(2);
  expect(registry.roomFor(rule)).toBe("full");
});

test("whoever looks sees who is full, by the lowest limit that a rule has, as long as it has it", () => {
  const registry = registryOf(2);
  const rule = limited(2);
  take(registry, rule, 4);
  take(registry, { ...limited(5), id: "apps/wide/0" as RuleId }, 1);
  expect(words(registry)).toEqual([`${addressOf(0)} full`, `${addressOf(1)} full`]);
  registry.forgetRules([rule.id]);
  expect(words(registry)).toEqual([`${addressOf(0)} has room`, `${addressOf(1)} has room`]);
});

test("an edited limit counts from the next handshake on", () => {
  const registry = registryOf(1);
  take(registry, limited(2), 3);
  expect(registry.acquire(limited(4), WISH)).toBeDefined();
  expect(registry.acquire(limited(3), WISH)).toBeUndefined();
  expect(words(registry)).toEqual([`${addressOf(0)} full`]);
  expect(registry.acquire(limited(0), WISH)).toBeDefined();
  expect(words(registry)).toEqual([`${addressOf(0)} has room`]);
});

describe("room", () => {
  test.for([
    { name: "no upstream is known", list: null, room: "none" },
    { name: "the list is empty", list: [], room: "none" },
    { name: "nobody is ready", list: [endpoint(addressOf(0), { ready: false })], room: "none" },
    { name: "one is ready", list: [endpoint(addressOf(0))], room: "room" },
    { name: "all terminate and one serves", list: [endpoint(addressOf(0), { terminating: true })], room: "room" },
    {
      name: "all terminate and none serves",
      list: [endpoint(addressOf(0), { ready: false, serving: false, terminating: true })],
      room: "none",
    },
  ])("when $name: $room", ({ list, room }) => {
    const registry = registryOf(0);
    registry.setEndpoints(CHAT, list);
    expect(registry.roomFor(ruleOf("LeastTunnels"))).toBe(room);
  });

  test("weight 0 gives none", () => {
    expect(registryOf(3).roomFor(ruleOf("LeastTunnels", { [CHAT]: 0 }))).toBe("none");
  });

  test("is told when a backend comes, when a lease ends and when a cordon does", () => {
    const registry = registryOf(1);
    const told: string[] = [];
    registry.onRoom((upstream) => told.push(upstream));
    registry.setEndpoints(CHAT, endpoints(2));
    expect(told).toEqual([CHAT]);
    const lease = registry.acquire(ruleOf("LeastTunnels"), WISH);
    expect(told).toEqual([CHAT]);
    lease?.release("closed");
    expect(told).toEqual([CHAT, CHAT]);
    registry.cordon(`${addressOf(0)}:80`);
    registry.uncordon(`${addressOf(0)}:80`);
    expect(told.length).toBeGreaterThan(2);
  });
});

describe("backends that go", () => {
  const going = { terminating: true };

  test("are used when all go and they still serve", () => {
    const registry = registryOf(0);
    registry.setEndpoints(CHAT, [endpoint(addressOf(0), going), endpoint(addressOf(1), { ...going, serving: false })]);
    expect(take(registry, ruleOf("RoundRobin"), 4).map((lease) => lease?.backend.address)).toEqual(
      Array.from({ length: 4 }, () => addressOf(0)),
    );
  });

  test("are not used while one that stays is there, be it in another upstream", () => {
    const registry = registryOf(0);
    registry.setEndpoints(CHAT, [endpoint(addressOf(0), going)]);
    registry.setEndpoints(OTHER, [endpoint("10.1.0.1")]);
    const rule = ruleOf("RoundRobin", { [CHAT]: 99, [OTHER]: 1 });
    expect(new Set(take(registry, rule, 20).map((lease) => lease?.backend.address))).toEqual(new Set(["10.1.0.1"]));
    const tried = new Set([idOf(0)]);
    expect(registry.acquire(rule, wish({ tried }))?.backend.address).toBe("10.1.0.1");
  });

  test("count as ready nowhere", () => {
    const registry = registryOf(0);
    registry.setEndpoints(CHAT, [endpoint(addressOf(0), going)]);
    expect([...registry.stats()]).toMatchObject([{ ready: 0, out: new Map([["terminating", 1]]) }]);
  });
});
