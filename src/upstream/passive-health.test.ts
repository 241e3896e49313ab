import { describe, expect, test } from "vitest";
import type { HealthSign, PassiveHealth, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type BalancedRule, type Lease, type LeaseOutcome, UpstreamRegistry } from "./index.ts";
import { addressOf, CHAT, endpoint, endpoints, ruleOf, WISH } from "./upstream.fixture.ts";

const ALL: readonly HealthSign[] = ["DialFailure", "BadAnswer", "EarlyEnd"];

const PROBE = {
  key: "k",
  type: "TCP" as const,
  path: "/",
  host: undefined,
  port: 0,
  intervalMs: 1_000,
  timeoutMs: 1_000,
  unhealthyAfter: 1,
  healthyAfter: 1,
};

/** Backends that take turns, under a policy that counts every sign. */
class World {
  nowMs = 0;
  readonly registry = new UpstreamRegistry({ random: () => 0, now: () => this.nowMs });

  constructor(backends = 4) {
    this.registry.setEndpoints(CHAT, endpoints(backends));
  }

  rule(passive: Partial<PassiveHealth> = {}, panicPercent = 0): BalancedRule {
    const health = {
      ...QUIET_POLICY.health,
      panicPercent,
      passive: { ...QUIET_POLICY.health.passive, signs: ALL, ...passive },
    };
    return ruleOf("RoundRobin", { [CHAT]: 1 }, { health });
  }

  /** So many leases that end so, or stay, as `end` says of each address. */
  turns(count: number, end: (address: string, lease: Lease) => void = () => {}, rule = this.rule()): readonly string[] {
    return Array.from({ length: count }, () => {
      const lease = this.registry.acquire(rule, WISH);
      if (lease === undefined) return "none";
      end(lease.backend.address, lease);
      return lease.backend.address;
    });
  }

  /** Handshakes that those in `bad` answer wrongly; others open, and end later. */
  handshakes(count: number, bad: readonly number[], rule = this.rule()): readonly string[] {
    return this.turns(count, endWith("badAnswer", bad), rule);
  }

  get out(): readonly string[] {
    return [...this.registry.backends()].flatMap(({ backend, out }) =>
      out === undefined ? [] : [`${backend.address} ${out.why} ${(out.untilMs ?? 0) - this.nowMs}`],
    );
  }
}

function endWith(outcome: LeaseOutcome, bad: readonly number[]): (address: string, lease: Lease) => void {
  const addresses = new Set(bad.map(addressOf));
  return (address, lease) => {
    if (outcome !== "badAnswer") lease.opened();
    if (addresses.has(address)) return lease.release(outcome);
    lease.opened();
    lease.release("closed");
  };
}

describe.for(["badAnswer", "endedEarly"] as const)("%s", (outcome) => {
  const sign = outcome === "badAnswer" ? "BadAnswer" : "EarlyEnd";

  test("four of five do nothing, the fifth ejects for a second", () => {
    const world = new World();
    world.turns(16, endWith(outcome, [0]));
    expect(world.out).toEqual([]);
    world.turns(4, endWith(outcome, [0]));
    expect(world.out).toEqual([`${addressOf(0)} ${sign} 1000`]);
    expect(world.turns(12, endWith(outcome, [0]))).not.toContain(addressOf(0));
  });

  test("a few among many that go well are no reason", () => {
    const world = new World(1);
    const few = new World(3);
    let n = 0;
    few.turns(300, (address, lease) => {
      const isBad = address === addressOf(0) && n++ % 5 === 4;
      endWith(outcome, isBad ? [0] : [])(address, lease);
    });
    expect([...world.out, ...few.out]).toEqual([]);
  });

  test("five in eleven seconds are none: they count within ten", () => {
    const world = new World();
    for (let n = 0; n < 5; n++, world.nowMs += 2_750) {
      world.turns(4, endWith(outcome, [0]));
      expect(world.out).toEqual([]);
    }
  });

  test("a rule that does not count it ejects nobody by it, whatever else it counts", () => {
    const world = new World();
    const signs = ALL.filter((each) => each !== sign);
    world.turns(100, endWith(outcome, [0, 1]), world.rule({ signs }));
    expect(world.out).toEqual([]);
  });

  test("a rule that counts nothing passes nobody over", () => {
    const world = new World();
    world.turns(20, endWith(outcome, [0]));
    expect(world.out).toHaveLength(1);
    expect(world.turns(8, endWith(outcome, []), world.rule({ signs: [] }))).toContain(addressOf(0));
  });

  test("ejections that follow each other last longer and longer, up to the longest", () => {
    const world = new World();
    const periods: number[] = [];
    while (periods.length < 7) {
      world.turns(20, endWith(outcome, [0]));
      const out = world.out[0];
      if (out !== undefined) {
        const untilMs = Number(out.split(" ").at(-1));
        periods.push(untilMs);
        world.nowMs += untilMs;
      }
    }
    expect(periods).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });
});

test("a second of one bad trial: one request tries an ejected backend, and fails for all", () => {
  const world = new World();
  world.handshakes(20, [0]);
  world.nowMs += 1_000;
  expect(world.handshakes(40, [0]).filter((address) => address === addressOf(0))).toHaveLength(1);
  expect(world.out).toEqual([`${addressOf(0)} BadAnswer 2000`]);
});

test("a handshake that was under way when it was ejected proves nothing by going well", () => {
  const world = new World();
  const slow: Lease[] = [];
  world.turns(4, (_address, lease) => slow.push(lease));
  world.handshakes(20, [0]);
  for (const lease of slow) lease.opened();
  expect(world.out).toEqual([`${addressOf(0)} BadAnswer 1000`]);
});

test("a tunnel that ends early is no handshake that went well: five of eight eject", () => {
  const world = new World(4);
  const good = new Set([1, 2, 3]);
  let n = 0;
  world.turns(32, (address, lease) =>
    endWith("endedEarly", address === addressOf(0) && good.has(n++) ? [] : [0])(address, lease),
  );
  expect(world.out).toEqual([`${addressOf(0)} EarlyEnd 1000`]);
});

test("a good trial brings it back, and five more bad answers send it away for longer", () => {
  const world = new World();
  world.handshakes(20, [0]);
  world.nowMs += 1_000;
  world.handshakes(4, []);
  expect(world.out).toEqual([]);
  expect(world.handshakes(20, [0]).filter((address) => address === addressOf(0))).toHaveLength(5);
  expect(world.out).toEqual([`${addressOf(0)} BadAnswer 2000`]);
});

test("one that was well for a minute begins with the shortest period again", () => {
  const world = new World();
  world.handshakes(20, [0]);
  world.nowMs += 1_000;
  world.handshakes(4, []);
  world.nowMs += 61_000;
  world.handshakes(20, [0]);
  expect(world.out).toEqual([`${addressOf(0)} BadAnswer 1000`]);
});

test("after early ends the 101 of a trial proves nothing yet: the tunnel has to last a second", () => {
  const world = new World();
  world.turns(20, endWith("endedEarly", [0]));
  world.nowMs += 1_000;
  const opened: Lease[] = [];
  world.turns(4, (_address, lease) => {
    lease.opened();
    opened.push(lease);
  });
  expect(opened.map(({ backend }) => backend.address)).toContain(addressOf(0));
  expect(world.out).toEqual([`${addressOf(0)} EarlyEnd 1000`]);
  world.nowMs += 500;
  opened.find(({ backend }) => backend.address === addressOf(0))?.release("endedEarly");
  expect(world.out).toEqual([`${addressOf(0)} EarlyEnd 2000`]);
  world.nowMs += 2_000;
  world.turns(4, (_address, lease) => lease.opened());
  world.nowMs += 1_000;
  expect(world.out).toEqual([]);
});

describe("the share that may be ejected", () => {
  test.for([
    { backends: 4, percent: 50, most: 2 },
    { backends: 3, percent: 50, most: 1 },
    { backends: 1, percent: 50, most: 0 },
    { backends: 4, percent: 0, most: 0 },
    { backends: 4, percent: 100, most: 4 },
  ])("of $backends at $percent % is $most", ({ backends, percent, most }) => {
    const world = new World(backends);
    const all = Array.from({ length: backends }, (_, n) => n);
    world.handshakes(200, all, world.rule({ maxEjectedPercent: percent }));
    expect(world.out).toHaveLength(most);
  });

  test("does not hold for backends that cannot be dialled: with them nobody is served", () => {
    const world = new World();
    world.turns(20, (address, lease) => lease.release(address === addressOf(3) ? "closed" : "dialFailed"));
    expect(world.out).toHaveLength(3);
    expect(new Set(world.turns(20))).toEqual(new Set([addressOf(3)]));
  });
});

describe("panic", () => {
  test("below the threshold ejections for answers are passed over, those for dials are not", () => {
    const world = new World();
    const rule = world.rule({ maxEjectedPercent: 100 }, 40);
    world.handshakes(60, [0, 1], rule);
    world.turns(4, (address, lease) => lease.release(address === addressOf(2) ? "dialFailed" : "lost"), rule);
    expect(world.out).toHaveLength(3);
    expect(new Set(world.turns(40, (_a, lease) => lease.release("lost"), rule))).toEqual(
      new Set([addressOf(0), addressOf(1), addressOf(3)]),
    );
  });

  test("at the threshold they count", () => {
    const world = new World();
    const rule = world.rule({}, 50);
    world.handshakes(60, [0, 1], rule);
    expect(new Set(world.turns(40, (_a, lease) => lease.release("lost"), rule))).toEqual(
      new Set([addressOf(2), addressOf(3)]),
    );
  });
});

test("clients that come and go at once eject nobody", () => {
  const world = new World();
  world.turns(200, (_address, lease) => lease.release("lost"));
  world.turns(200, (_address, lease) => {
    lease.opened();
    lease.release("closed");
  });
  expect(world.out).toEqual([]);
});

test("one Pod that two Services name is passed over in both", () => {
  const world = new World(3);
  const other = "apps/other:80" as UpstreamKey;
  world.registry.setEndpoints(other, [endpoint(addressOf(0)), endpoint("10.9.9.9")]);
  world.turns(3, (address, lease) => lease.release(address === addressOf(0) ? "dialFailed" : "lost"));
  const rule = ruleOf("RoundRobin", { [other]: 1 });
  const there = Array.from({ length: 6 }, () => world.registry.acquire(rule, WISH)?.backend.address);
  expect(new Set(there)).toEqual(new Set(["10.9.9.9"]));
});

test("what probes find is passed over by the rules that probe so, and by no other", () => {
  const world = new World(3);
  const probing = ruleOf("RoundRobin", { [CHAT]: 1 }, { health: { ...QUIET_POLICY.health, active: PROBE } });
  const failing = [...world.registry.backends()][0]!.backend;
  world.registry.verdicts.set("k", failing.id, "failing");
  expect(world.turns(6, undefined, probing)).not.toContain(failing.address);
  expect(world.turns(6)).toContain(failing.address);
  expect(world.out).toEqual([`${failing.address} Probe 0`]);
  world.registry.verdicts.set("k", failing.id, "well");
  expect(world.turns(6, undefined, probing)).toContain(failing.address);
});

test("probes count for panic: with too few left that pass them, all that can be dialled are used", () => {
  const world = new World(4);
  const health = { ...QUIET_POLICY.health, panicPercent: 51, active: PROBE };
  const probing = ruleOf("RoundRobin", { [CHAT]: 1 }, { health });
  const [one, two] = [...world.registry.backends()].map(({ backend }) => backend);
  world.registry.verdicts.set("k", one!.id, "failing");
  expect(world.turns(8, undefined, probing)).not.toContain(one!.address);
  world.registry.verdicts.set("k", two!.id, "failing");
  expect(new Set(world.turns(8, undefined, probing)).size).toBe(4);
});
