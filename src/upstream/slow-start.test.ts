import { describe, expect, test } from "vitest";
import { type Lease, UpstreamRegistry } from "./index.ts";
import { addressOf, CHAT, endpoint, endpoints, HASHED, leasesIn, ruleOf, seeded, wish } from "./upstream.fixture.ts";

const SLOW_MS = 60_000;

class World {
  nowMs = 1_000_000;
  readonly registry = new UpstreamRegistry({ random: seeded(7), now: () => this.nowMs });
  #keys = 0;

  list(count: number): void {
    this.registry.setEndpoints(CHAT, endpoints(count));
  }

  open(count: number, rule = ruleOf("LeastTunnels", { [CHAT]: 1 }, { slowStartMs: SLOW_MS })): readonly Lease[] {
    return Array.from({ length: count }, () => {
      const lease = this.registry.acquire(rule, wish({ hashKey: `key-${this.#keys++}` }))!;
      lease.opened();
      return lease;
    });
  }

  on(index: number): number {
    return leasesIn(this.registry).get(addressOf(index)) ?? 0;
  }
}

describe.for([
  { name: "LeastTunnels", balancing: "LeastTunnels" as const },
  { name: "Random", balancing: "Random" as const },
  { name: "ConsistentHash", balancing: HASHED },
])("$name", ({ balancing }) => {
  const rule = ruleOf(balancing, { [CHAT]: 1 }, { slowStartMs: SLOW_MS });

  test("a fresh backend carries at most its age's share of the mean", () => {
    const world = new World();
    world.list(4);
    world.open(400, rule);
    world.list(5);
    for (const share of [0, 0.25, 0.5, 0.75]) {
      world.nowMs = 1_000_000 + share * SLOW_MS;
      world.open(40, rule);
      const total = [0, 1, 2, 3, 4].reduce((sum, n) => sum + world.on(n), 0);
      expect(world.on(4)).toBeLessThanOrEqual(Math.max(1, Math.ceil((share * total) / 5)));
    }
    // It is not left out either: what its age allows, it has, unless few keys are its own.
    if (balancing === "LeastTunnels") expect(world.on(4)).toBeGreaterThan(40);
  });

  test("after that time nothing is held back", () => {
    const world = new World();
    world.list(4);
    world.open(400, rule);
    world.list(5);
    world.nowMs += SLOW_MS;
    world.open(100, rule);
    expect(world.on(4)).toBeGreaterThan(12);
    if (balancing === "LeastTunnels") expect(world.on(4)).toBe(100);
  });
});

test("RoundRobin: a fresh backend is left out of as many turns as it lacks of its time", () => {
  const world = new World();
  const rule = ruleOf("RoundRobin", { [CHAT]: 1 }, { slowStartMs: SLOW_MS });
  world.list(4);
  world.open(8, rule);
  world.list(5);
  world.nowMs += SLOW_MS / 3;
  let turns = 0;
  for (let n = 0; n < 3_000; n++) {
    const [lease] = world.open(1, rule);
    if (lease?.backend.address === addressOf(4)) turns++;
    lease?.release("closed");
  }
  // A third of a fair turn: of 13 turns in 3 rounds it has one.
  expect(turns).toBeGreaterThan(3_000 / 13 - 60);
  expect(turns).toBeLessThan(3_000 / 13 + 60);
});

test("whoever was there when the upstream was first heard of is not fresh", () => {
  const world = new World();
  world.list(3);
  world.open(3);
  expect([0, 1, 2].map((n) => world.on(n))).toEqual([1, 1, 1]);
  world.open(297);
  expect([0, 1, 2].map((n) => world.on(n))).toEqual([100, 100, 100]);
});

test("one that was unready is fresh when it is ready again, one that was cordoned is not", () => {
  const world = new World();
  world.list(3);
  const leases = world.open(300);
  world.registry.setEndpoints(CHAT, [endpoint(addressOf(0), { ready: false }), ...endpoints(3).slice(1)]);
  for (const lease of leases) if (lease.backend.address !== addressOf(2)) lease.release("closed");
  world.registry.cordon(`${addressOf(1)}:80`);
  world.list(3);
  world.registry.uncordon(`${addressOf(1)}:80`);
  world.open(60);
  expect(world.on(0)).toBe(1);
  expect(world.on(1)).toBe(59);
});

test("when all are as fresh, as after a rollout, nobody is held back", () => {
  const world = new World();
  world.list(1);
  world.registry.setEndpoints(CHAT, [endpoint("10.9.0.1"), endpoint("10.9.0.2")]);
  world.nowMs += 100;
  world.open(100);
  expect(leasesIn(world.registry)).toEqual(
    new Map([
      ["10.9.0.1", 50],
      ["10.9.0.2", 50],
    ]),
  );
});

test("of two that are fresh, the older is the measure of the younger", () => {
  const world = new World();
  world.list(1);
  world.registry.setEndpoints(CHAT, [endpoint("10.9.0.1")]);
  world.nowMs += 10_000;
  world.registry.setEndpoints(CHAT, [endpoint("10.9.0.1"), endpoint("10.9.0.2")]);
  world.nowMs += 10_000;
  world.open(300);
  // Half as old: half of the mean of both.
  expect(leasesIn(world.registry).get("10.9.0.2")).toBe(75);
});

test("where nobody else may take it, a fresh one does", () => {
  const world = new World();
  world.list(1);
  world.open(10);
  world.list(2);
  const tried = new Set(
    [...world.registry.backends()].flatMap(({ backend }) => (backend.address === addressOf(0) ? [backend.id] : [])),
  );
  const rule = ruleOf("LeastTunnels", { [CHAT]: 1 }, { slowStartMs: SLOW_MS });
  const there = Array.from({ length: 5 }, () => world.registry.acquire(rule, wish({ tried }))?.backend.address);
  expect(there).toEqual(Array.from({ length: 5 }, () => addressOf(1)));
});

test("a rule without slowStart fills it at once, beside one that has it", () => {
  const world = new World();
  world.list(2);
  world.open(100);
  world.list(3);
  world.open(20);
  expect(world.on(2)).toBe(1);
  world.open(30, ruleOf("LeastTunnels"));
  expect(world.on(2)).toBe(31);
});
