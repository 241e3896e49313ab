import { describe, expect, test } from "vitest";
import type { RuleId, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { backendId, type Lease, UpstreamRegistry } from "./index.ts";
import { CHAT, endpoint, NONE, WISH, wish } from "./upstream.fixture.ts";

const DEAD = "10.0.0.1";

class World {
  nowMs = 0;
  readonly registry = new UpstreamRegistry({ random: () => 0, now: () => this.nowMs });
  readonly rule: Parameters<UpstreamRegistry["acquire"]>[0];

  constructor(algorithm: "LeastTunnels" | "RoundRobin" | "Random" = "LeastTunnels", addresses = [DEAD, "10.0.0.2"]) {
    this.rule = {
      id: "apps/r/0" as RuleId,
      backends: [{ upstream: CHAT, weight: 1 }],
      policy: { ...QUIET_POLICY, balancing: { algorithm } },
    };
    this.registry.setEndpoints(
      CHAT,
      addresses.map((address) => endpoint(address)),
    );
  }

  acquire(tried = NONE): Lease | undefined {
    return this.registry.acquire(this.rule, wish({ tried }));
  }

  /** Which one a handshake goes to that succeeds, if it is not the dead one, and ends at once. */
  visit(): string {
    const lease = this.acquire();
    const address = lease?.backend.address ?? "none";
    if (address === DEAD) lease?.release("dialFailed");
    else {
      lease?.opened();
      lease?.release("closed");
    }
    return address;
  }

  visits(count: number): readonly string[] {
    return Array.from({ length: count }, () => this.visit());
  }
}

describe.for(["LeastTunnels", "RoundRobin", "Random"] as const)("with %s", (algorithm) => {
  test("a backend that could not be dialled is dialled again after a second, then two, and up to 30", () => {
    const world = new World(algorithm);
    while (world.visit() !== DEAD);
    const trials: number[] = [];
    for (; world.nowMs < 130_000; world.nowMs += 100) if (world.visits(20).includes(DEAD)) trials.push(world.nowMs);
    const pauses = trials.map((atMs, i) => atMs - (trials[i - 1] ?? 0));
    expect(pauses.map((ms) => Math.round(ms / 1_000))).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  });
});

test("whoever looks sees who is ejected, as long as it is", () => {
  const world = new World();
  const ejected = (): readonly string[] =>
    [...world.registry.backends()].flatMap(({ backend, out }) => (out === undefined ? [] : [backend.address]));
  expect(ejected()).toEqual([]);
  while (world.visit() !== DEAD);
  expect(ejected()).toEqual([DEAD]);
  world.nowMs += 1_000;
  expect(ejected()).toEqual([]);
});

test("while one request tries it again, the others go on passing it over", () => {
  const world = new World();
  while (world.visit() !== DEAD);
  world.nowMs += 1_000;
  const leases = Array.from({ length: 50 }, () => world.acquire());
  expect(leases.filter((lease) => lease?.backend.address === DEAD)).toHaveLength(1);
});

test.for([
  { name: "a tunnel that opens", answer: (lease: Lease | undefined) => lease?.opened() },
  { name: "a plain request that was answered", answer: (lease: Lease | undefined) => lease?.release("closed") },
  { name: "a handshake that it refuses", answer: (lease: Lease | undefined) => lease?.release("refused") },
])("$name ends the ejection", ({ answer }) => {
  const world = new World();
  while (world.visit() !== DEAD);
  world.nowMs += 1_000;
  const leases = Array.from({ length: 4 }, () => world.acquire());
  answer(leases.find((lease) => lease?.backend.address === DEAD));
  for (const lease of leases) lease?.release("lost");
  const next = Array.from({ length: 10 }, () => world.acquire()?.backend.address);
  expect(next.filter((address) => address === DEAD)).toHaveLength(5);
});

test("fifty dials that fail at once are one failure: a second later it is tried again", () => {
  const world = new World();
  const leases = Array.from({ length: 100 }, () => world.acquire());
  for (const lease of leases) lease?.release(lease.backend.address === DEAD ? "dialFailed" : "lost");
  world.nowMs += 1_000;
  expect(world.visits(4)).toContain(DEAD);
});

test("a dial that takes three seconds to fail is the only one meanwhile", () => {
  const world = new World();
  while (world.visit() !== DEAD);
  world.nowMs += 1_000;
  const first = Array.from({ length: 4 }, () => world.acquire());
  world.nowMs += 2_900;
  const later = Array.from({ length: 20 }, () => world.acquire());
  expect([...first, ...later].filter((lease) => lease?.backend.address === DEAD)).toHaveLength(1);
});

test("a trial that came to no end says nothing", () => {
  const world = new World();
  while (world.visit() !== DEAD);
  world.nowMs += 1_000;
  const leases = Array.from({ length: 4 }, () => world.acquire());
  for (const lease of leases) lease?.release("lost");
  expect(world.visits(10)).not.toContain(DEAD);
});

test("where all are ejected, they are chosen as if none were", () => {
  const world = new World("RoundRobin", [DEAD]);
  expect(world.visits(3)).toEqual([DEAD, DEAD, DEAD]);
});

test("of those that are left over, one that this request tried itself is not chosen", () => {
  const world = new World("RoundRobin", [DEAD]);
  world.visit();
  expect(world.acquire(new Set([backendId(endpoint(DEAD))]))).toBeUndefined();
});

test("an upstream whose backends are all ejected leaves its share to the others", () => {
  const world = new World("RoundRobin", [DEAD]);
  const canary = "apps/canary:80" as UpstreamKey;
  world.registry.setEndpoints(canary, [endpoint("10.0.1.1")]);
  const rule = { ...world.rule, backends: [...world.rule.backends, { upstream: canary, weight: 1 }] };
  const leases = Array.from({ length: 4 }, () => world.registry.acquire(rule, WISH));
  for (const lease of leases) if (lease?.backend.address === DEAD) lease.release("dialFailed");
  const next = Array.from({ length: 6 }, () => world.registry.acquire(rule, WISH)?.backend.address);
  expect(new Set(next)).toEqual(new Set(["10.0.1.1"]));
});

test("one that is gone and comes again is not ejected any more", () => {
  const world = new World();
  while (world.visit() !== DEAD);
  world.registry.setEndpoints(CHAT, [endpoint("10.0.0.2")]);
  world.registry.setEndpoints(CHAT, [endpoint(DEAD), endpoint("10.0.0.2")]);
  const next = Array.from({ length: 10 }, () => world.acquire()?.backend.address);
  expect(next.filter((address) => address === DEAD)).toHaveLength(5);
});
