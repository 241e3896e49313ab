import { describe, expect, test } from "vitest";
import type { AffinityPolicy, Endpoint, HealthPolicy, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type AffinityKeys, type BalancedRule, type Lease, UpstreamRegistry, type Wish } from "./index.ts";
import { CHAT, endpoint, ruleOf, seeded, wish } from "./upstream.fixture.ts";

const CANARY = "apps/canary:80" as UpstreamKey;
const COOKIE: AffinityPolicy = { cookieName: "c", ttlMs: 0, path: "/", sameSite: "Lax", isSecure: false };
const { drain, admission, health } = QUIET_POLICY;
const PROBED: HealthPolicy = {
  ...health,
  active: {
    key: "probe",
    type: "TCP",
    path: "/",
    host: undefined,
    port: 0,
    intervalMs: 1_000,
    timeoutMs: 1_000,
    unhealthyAfter: 1,
    healthyAfter: 1,
  },
};

function keyOf(text: string): Uint8Array {
  return new TextEncoder().encode(text.padEnd(32, "."));
}

function pod(uid: string, change: Partial<Endpoint> = {}): Endpoint {
  return endpoint(`10.0.0.${uid.charCodeAt(0)}`, { podUid: uid, ...change });
}

/** A wish with one cookie or none. */
type Asks = Omit<Partial<Wish>, "affinity"> & { readonly affinity?: string | undefined };

/** A registry with Pods a, b and c behind CHAT, and a rule that binds. */
class World {
  keys: AffinityKeys | undefined = { current: keyOf("first"), previous: undefined };
  readonly registry = new UpstreamRegistry({ random: seeded(1), now: () => 0, affinityKeys: () => this.keys });

  constructor() {
    this.list(pod("a"), pod("b"), pod("c"));
  }

  list(...endpoints: readonly Endpoint[]): void {
    this.registry.setEndpoints(CHAT, endpoints);
  }

  acquire(rule: BalancedRule, { affinity, ...change }: Asks = {}): Lease {
    const lease = this.registry.acquire(rule, wish({ ...change, affinity: affinity === undefined ? [] : [affinity] }));
    if (lease === undefined) throw new Error("no backend is offered");
    return lease;
  }

  /** Who a request with that cookie goes to, and what it is given; it leaves no trace. */
  ask(rule: BalancedRule, change: Asks = {}): { pod: string; mark: Lease["affinity"] } {
    const lease = this.acquire(rule, change);
    lease.release("closed");
    return { pod: lease.backend.podUid ?? "", mark: lease.affinity };
  }

  /** The cookie of a client that is on that Pod. */
  cookieOf(uid: string, rule: BalancedRule): string {
    for (let tries = 0; tries < 1_000; tries++) {
      const { pod: at, mark } = this.ask(rule);
      if (at === uid && mark !== undefined) return mark.value;
    }
    throw new Error(`nobody got to Pod ${uid}`);
  }
}

function binding(
  weights: Readonly<Record<string, number>> = { [CHAT]: 1 },
  policy: Partial<BalancedRule["policy"]> = {},
): BalancedRule {
  return ruleOf("RoundRobin", weights, { affinity: COOKIE, ...policy });
}

describe("a rule with affinity", () => {
  const rule = binding();

  test("gives a client that has no cookie one, and that cookie leads back as often as it likes", () => {
    const world = new World();
    const first = world.ask(rule);
    expect(first.mark?.isNews).toBe(true);
    const affinity = first.mark?.value;
    for (let n = 0; n < 20; n++) {
      expect(world.ask(rule, { affinity })).toEqual({ pod: first.pod, mark: { value: affinity, isNews: false } });
    }
  });

  test("leads plain requests and handshakes of one client to one backend", () => {
    const world = new World();
    const affinity = world.cookieOf("b", rule);
    expect(world.ask(rule, { use: "request", affinity }).pod).toBe("b");
    expect(world.ask(rule, { use: "tunnel", affinity }).pod).toBe("b");
  });

  test("gives another cookie to whoever comes with one that means nobody", () => {
    const world = new World();
    const { mark } = world.ask(rule, { affinity: "A".repeat(22) });
    expect(mark?.isNews).toBe(true);
    expect(world.ask(rule, { affinity: mark?.value }).mark?.isNews).toBe(false);
  });

  test("binds nobody without a key, and says nothing of a cookie", () => {
    const world = new World();
    const affinity = world.cookieOf("b", rule);
    world.keys = undefined;
    expect([1, 2, 3].map(() => world.ask(rule, { affinity }).pod).toSorted()).toEqual(["a", "b", "c"]);
    expect(world.ask(rule, { affinity }).mark).toBeUndefined();
  });

  test("agrees with any other process that has the key and another list order", () => {
    const [one, other] = [new World(), new World()];
    other.list(pod("c"), pod("d"), pod("b"), pod("a"));
    for (const uid of ["a", "b", "c"]) expect(other.ask(rule, { affinity: one.cookieOf(uid, rule) }).pod).toBe(uid);
  });
});

test("a rule without affinity reads no cookie and gives none", () => {
  const world = new World();
  const affinity = world.cookieOf("b", binding());
  const free = ruleOf("RoundRobin");
  expect([1, 2, 3].map(() => world.ask(free, { affinity }).pod).toSorted()).toEqual(["a", "b", "c"]);
  expect(world.ask(free, { affinity }).mark).toBeUndefined();
});

describe("of two upstreams", () => {
  test("a cookie goes before the weights, and takes no turn of them", () => {
    const world = new World();
    world.registry.setEndpoints(CANARY, [pod("k")]);
    const rule = binding({ [CHAT]: 3, [CANARY]: 1 });
    const affinity = world.cookieOf("k", rule);
    const bound = Array.from({ length: 40 }, () => world.ask(rule, { affinity }).pod);
    expect(new Set(bound)).toEqual(new Set(["k"]));
    const free = Array.from({ length: 40 }, () => world.ask(rule).pod);
    expect(free.filter((uid) => uid === "k")).toHaveLength(10);
  });

  test.for([
    { onZeroWeight: "Keep", want: "k" },
    { onZeroWeight: "Close", want: "another" },
  ] as const)("one of weight 0 with onZeroWeight $onZeroWeight is $want", ({ onZeroWeight, want }) => {
    const world = new World();
    world.registry.setEndpoints(CANARY, [pod("k")]);
    const affinity = world.cookieOf("k", binding({ [CHAT]: 1, [CANARY]: 1 }));
    const rule = binding({ [CHAT]: 1, [CANARY]: 0 }, { drain: { ...drain, onZeroWeight } });
    const { pod: at, mark } = world.ask(rule, { affinity });
    expect(at === "k" ? at : "another").toBe(want);
    expect(mark?.isNews).toBe(want === "another");
  });

  test("one that the rule does not name any more has nobody", () => {
    const world = new World();
    world.registry.setEndpoints(CANARY, [pod("k")]);
    const affinity = world.cookieOf("k", binding({ [CHAT]: 1, [CANARY]: 1 }));
    expect(world.ask(binding(), { affinity }).pod).not.toBe("k");
  });
});

describe("a backend that terminates and still serves", () => {
  const going = pod("b", { ready: false, serving: true, terminating: true });
  test.for([
    { name: "keeps its clients under Keep", onBackendRemoval: "Keep", change: {}, isKept: true },
    { name: "gives them away under Close", onBackendRemoval: "Close", change: {}, isKept: false },
    {
      name: "gives them away once it does not serve",
      onBackendRemoval: "Keep",
      change: { serving: false },
      isKept: false,
    },
  ] as const)("$name", ({ onBackendRemoval, change, isKept }) => {
    const world = new World();
    const rule = binding(undefined, { drain: { ...drain, onBackendRemoval } });
    const affinity = world.cookieOf("b", rule);
    world.list(pod("a"), { ...going, ...change }, pod("c"));
    const { pod: at, mark } = world.ask(rule, { affinity });
    expect(at === "b").toBe(isKept);
    expect(mark?.isNews).toBe(!isKept);
    // Nobody new comes to it.
    expect(Array.from({ length: 20 }, () => world.ask(rule).pod)).not.toContain("b");
  });

  test("keeps them until it is gone, and then they are somebody else's for good", () => {
    const world = new World();
    const rule = binding();
    const affinity = world.cookieOf("b", rule);
    const tunnel = world.acquire(rule, { affinity });
    tunnel.opened();
    world.list(pod("a"), going, pod("c"));
    expect(world.ask(rule, { affinity }).pod).toBe("b");
    world.list(pod("a"), pod("c"));
    const moved = world.ask(rule, { affinity });
    expect(moved).toMatchObject({ pod: expect.not.stringMatching("b"), mark: { isNews: true } });
    expect(world.ask(rule, { affinity: moved.mark?.value })).toMatchObject({ pod: moved.pod, mark: { isNews: false } });
    tunnel.release("closed");
    expect(world.ask(rule, { affinity }).pod).not.toBe("b");
  });
});

describe("a client moves, and its cookie with it, when its backend is", () => {
  test.for<{
    name: string;
    policy?: Partial<BalancedRule["policy"]>;
    spoil: (world: World, on: Lease) => Asks | void;
  }>([
    { name: "not ready", spoil: (world) => world.list(pod("a"), pod("b", { ready: false }), pod("c")) },
    { name: "cordoned", spoil: (world, on) => world.registry.cordon(on.backend.target) },
    {
      name: "cordoned while it terminates",
      spoil: (world, on) => {
        world.list(pod("a"), pod("b", { ready: false, terminating: true }), pod("c"));
        world.registry.cordon(on.backend.target);
      },
    },
    { name: "ejected", spoil: (_world, on) => on.release("dialFailed") },
    {
      name: "failing its probe",
      policy: { health: PROBED },
      spoil: (world, on) => world.registry.verdicts.set("probe", on.backend.id, "failing"),
    },
    {
      name: "full",
      policy: { admission: { ...admission, maxTunnelsPerBackend: 1 } },
      spoil: (_world, on) => on.opened(),
    },
    { name: "tried already", spoil: (_world, on) => ({ tried: new Set([on.backend.id]) }) },
    {
      name: "made anew on the same address",
      spoil: (world) => world.list(pod("a"), { ...pod("b"), podUid: "b2" }, pod("c")),
    },
  ])("$name", ({ policy, spoil }) => {
    const world = new World();
    const rule = binding(undefined, policy);
    const affinity = world.cookieOf("b", rule);
    const lease = world.acquire(rule, { affinity });
    expect(lease.backend.podUid).toBe("b");
    const change = spoil(world, lease) ?? {};
    const { pod: at, mark } = world.ask(rule, { affinity, ...change });
    expect(at).not.toBe("b");
    expect(mark).toMatchObject({ isNews: true, value: expect.not.stringMatching(affinity) });
  });
});

test("a backend that is full of tunnels still answers the plain requests of its clients", () => {
  const world = new World();
  const rule = binding(undefined, { admission: { ...admission, maxTunnelsPerBackend: 1 } });
  const affinity = world.cookieOf("b", rule);
  world.acquire(rule, { affinity }).opened();
  expect(world.ask(rule, { affinity, use: "request" }).pod).toBe("b");
});

test("a rotation of the key moves nobody and gives everybody a new cookie", () => {
  const world = new World();
  const rule = binding();
  const before = ["a", "b", "c"].map((uid) => ({ uid, affinity: world.cookieOf(uid, rule) }));
  world.keys = { current: keyOf("second"), previous: keyOf("first") };
  const renewed = before.map(({ uid, affinity }) => {
    const { pod: at, mark } = world.ask(rule, { affinity });
    expect([at, mark?.isNews]).toEqual([uid, true]);
    return { uid, affinity: mark?.value };
  });
  world.keys = { current: keyOf("second"), previous: undefined };
  for (const { uid, affinity } of renewed) {
    expect(world.ask(rule, { affinity })).toEqual({ pod: uid, mark: { value: affinity, isNews: false } });
  }
  for (const { affinity } of before) expect(world.ask(rule, { affinity }).mark?.isNews).toBe(true);
});
