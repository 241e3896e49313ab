import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type Backend, backendId, type Lease, UpstreamRegistry } from "./index.ts";
import { WISH, wish } from "./upstream.fixture.ts";

const chat = "apps/chat:80" as UpstreamKey;
const canary = "apps/canary:80" as UpstreamKey;

function endpoint(address: string, change: Partial<Endpoint> = {}): Endpoint {
  return { address, port: 80, podUid: undefined, ready: true, serving: true, terminating: false, ...change };
}

function rule(...backends: readonly (readonly [UpstreamKey, number])[]) {
  return {
    id: "apps/r/0" as RuleId,
    backends: backends.map(([upstream, weight]) => ({ upstream, weight })),
    policy: QUIET_POLICY,
  };
}

function registryWith(lists: Record<string, readonly Endpoint[]>): {
  registry: UpstreamRegistry;
  forgotten: Backend[];
} {
  const registry = new UpstreamRegistry({ random: () => 0, now: () => 0 });
  const forgotten: Backend[] = [];
  registry.onForgotten((backend) => forgotten.push(backend));
  for (const [key, list] of Object.entries(lists)) registry.setEndpoints(key as UpstreamKey, list);
  return { registry, forgotten };
}

function addresses(count: number, acquire: () => Lease | undefined): string[] {
  return Array.from({ length: count }, () => acquire()?.backend.address ?? "none");
}

function statsOf(registry: UpstreamRegistry, key: UpstreamKey) {
  return [...registry.stats()].find((stats) => stats.upstream === key);
}

describe("choosing", () => {
  test("ready backends take turns", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3")] });
    expect(addresses(6, () => registry.acquire(rule([chat, 1]), WISH))).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.3",
    ]);
  });

  test.for([
    { name: "an endpoint that is not ready takes no lease", change: { ready: false } },
    { name: "a terminating endpoint takes no lease though it serves", change: { terminating: true } },
  ])("$name", ({ change }) => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1", change), endpoint("10.0.0.2")] });
    expect(addresses(3, () => registry.acquire(rule([chat, 1]), WISH))).toEqual(["10.0.0.2", "10.0.0.2", "10.0.0.2"]);
  });

  test("a backend that was tried is passed over, and when all were tried there is none", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1"), endpoint("10.0.0.2")] });
    const tried = new Set([backendId(endpoint("10.0.0.1"))]);
    expect(addresses(2, () => registry.acquire(rule([chat, 1]), wish({ tried })))).toEqual(["10.0.0.2", "10.0.0.2"]);
    tried.add(backendId(endpoint("10.0.0.2")));
    expect(registry.acquire(rule([chat, 1]), wish({ tried }))).toBeUndefined();
  });

  test("weights are kept exactly over each full round", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")], [canary]: [endpoint("10.0.0.9")] });
    const got = addresses(20, () => registry.acquire(rule([chat, 9], [canary, 1]), WISH));
    expect(got.filter((address) => address === "10.0.0.9")).toHaveLength(2);
    expect(got.slice(0, 10).filter((address) => address === "10.0.0.9")).toHaveLength(1);
  });

  test.for([
    { name: "the weight of an empty upstream goes to the others", lists: { [canary]: [] } },
    { name: "the weight of an unknown upstream goes to the others", lists: {} },
    {
      name: "the weight of an upstream without a ready backend goes to the others",
      lists: { [canary]: [endpoint("10.0.0.9", { ready: false })] },
    },
  ])("$name", ({ lists }) => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")], ...lists });
    expect(new Set(addresses(10, () => registry.acquire(rule([chat, 1], [canary, 9]), WISH)))).toEqual(
      new Set(["10.0.0.1"]),
    );
  });

  test("weight 0 gets nothing, even when it is alone", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    expect(registry.acquire(rule([chat, 0]), WISH)).toBeUndefined();
  });

  test("shares follow the weights for any weights", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const keys = weights.map((_, index) => `apps/s${index}:80` as UpstreamKey);
        const { registry } = registryWith(
          Object.fromEntries(keys.map((key, index) => [key, [endpoint(`10.0.0.${index}`)]])),
        );
        const refs = keys.map((key, index) => [key, weights[index]!] as const);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const got = addresses(total, () => registry.acquire(rule(...refs), WISH));
        return weights.every(
          (weight, index) => got.filter((address) => address === `10.0.0.${index}`).length === weight,
        );
      }),
    );
  });
});

describe("leaving", () => {
  test("a removed backend keeps its tunnel, takes no new one, and is forgotten after the last", () => {
    const { registry, forgotten } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    const lease = registry.acquire(rule([chat, 1]), WISH);
    lease?.opened();
    registry.setEndpoints(chat, [endpoint("10.0.0.2")]);
    expect(statsOf(registry, chat)).toMatchObject({ upstream: chat, ready: 1, draining: 1, pending: 0, tunnels: 1 });
    expect(addresses(2, () => registry.acquire(rule([chat, 1]), WISH))).toEqual(["10.0.0.2", "10.0.0.2"]);
    expect(forgotten).toEqual([]);
    lease?.release("closed");
    expect(forgotten.map((backend) => backend.address)).toEqual(["10.0.0.1"]);
    expect(statsOf(registry, chat)?.draining).toBe(0);
  });

  test("a backend that comes back before its last tunnel ended is the same one, with its count", () => {
    const { registry, forgotten } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    registry.acquire(rule([chat, 1]), WISH)?.opened();
    registry.setEndpoints(chat, []);
    registry.setEndpoints(chat, [endpoint("10.0.0.1")]);
    expect(statsOf(registry, chat)).toMatchObject({ upstream: chat, ready: 1, draining: 0, pending: 0, tunnels: 1 });
    expect(forgotten).toEqual([]);
  });

  test("a new Pod on a reused address is another backend", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1", { podUid: "old" })] });
    registry.acquire(rule([chat, 1]), WISH)?.opened();
    registry.setEndpoints(chat, [endpoint("10.0.0.1", { podUid: "new" })]);
    expect(statsOf(registry, chat)).toMatchObject({ upstream: chat, ready: 1, draining: 1, pending: 0, tunnels: 1 });
  });

  test("an upstream that no rule names is forgotten once its last tunnel ended", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    const lease = registry.acquire(rule([chat, 1]), WISH);
    lease?.opened();
    registry.setEndpoints(chat, null);
    expect([...registry.keys()]).toEqual([chat]);
    expect(registry.acquire(rule([chat, 1]), WISH)).toBeUndefined();
    lease?.release("closed");
    expect([...registry.keys()]).toEqual([]);
  });

  test("an upstream that was never known can be forgotten", () => {
    const { registry } = registryWith({});
    registry.setEndpoints(chat, null);
    expect([...registry.keys()]).toEqual([]);
  });
});

describe("counting", () => {
  test("a lease counts as pending from the acquire on, as a tunnel once opened, and not at all once released", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    const lease = registry.acquire(rule([chat, 1]), WISH);
    expect(statsOf(registry, chat)).toMatchObject({ pending: 1, tunnels: 0 });
    lease?.opened();
    expect(statsOf(registry, chat)).toMatchObject({ pending: 0, tunnels: 1 });
    lease?.release("closed");
    lease?.release("closed");
    lease?.opened();
    expect(statsOf(registry, chat)).toMatchObject({ pending: 0, tunnels: 0 });
  });

  test("counts end at zero and nothing is left for any order of events", () => {
    const event = fc.record({
      kind: fc.constantFrom("acquire", "open", "release", "endpoints", "forsake"),
      pick: fc.nat(),
      list: fc.subarray([1, 2, 3, 4]),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { registry, forgotten } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
        const leases: Lease[] = [];
        for (const { kind, pick, list } of events) {
          const lease = leases[pick % Math.max(1, leases.length)];
          if (kind === "acquire")
            leases.push(...[registry.acquire(rule([chat, 1]), WISH)].filter((got) => got !== undefined));
          else if (kind === "open") lease?.opened();
          else if (kind === "release") lease?.release("closed");
          else registry.setEndpoints(chat, kind === "forsake" ? null : list.map((n) => endpoint(`10.0.0.${n}`)));
          for (const stats of registry.stats()) {
            expect(stats.pending).toBeGreaterThanOrEqual(0);
            expect(stats.tunnels).toBeGreaterThanOrEqual(0);
          }
        }
        registry.setEndpoints(chat, null);
        for (const lease of leases) lease.release("lost");
        expect([...registry.keys()]).toEqual([]);
        expect(new Set(forgotten.map((backend) => backend.address)).has("10.0.0.1")).toBe(true);
      }),
    );
  });
});

describe("departures", () => {
  const leaves = (address: string) => endpoint(address, { terminating: true });

  /** What its listeners hear, as `10.0.0.1 vanished`. */
  function listening(...lists: readonly (readonly Endpoint[])[]): { registry: UpstreamRegistry; heard: string[] } {
    const { registry } = registryWith({});
    const heard: string[] = [];
    registry.onDeparture((backend, departure) => heard.push(`${backend.address} ${departure ?? "stays"}`));
    for (const list of lists) registry.setEndpoints(chat, list);
    return { registry, heard };
  }

  test("each is told once, when it begins, when it is another one, and when it is over", () => {
    const { registry, heard } = listening([endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
    registry.acquire(rule([chat, 1]), WISH)?.opened();
    expect(heard).toEqual([]);
    registry.setEndpoints(chat, [endpoint("10.0.0.2")]);
    registry.setEndpoints(chat, [endpoint("10.0.0.2"), endpoint("10.0.0.3")]);
    registry.setEndpoints(chat, [leaves("10.0.0.1"), endpoint("10.0.0.2")]);
    registry.setEndpoints(chat, [endpoint("10.0.0.2")]);
    registry.setEndpoints(chat, [endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
    registry.setEndpoints(chat, [endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
    expect(heard).toEqual(["10.0.0.1 vanished", "10.0.0.1 terminating", "10.0.0.3 vanished", "10.0.0.1 stays"]);
  });

  test("one that was listed as terminating from the first is told", () => {
    expect(listening([leaves("10.0.0.1")]).heard).toEqual(["10.0.0.1 terminating"]);
  });

  test("unready ones are told anew when too many become unready, though nothing changed of them", () => {
    const unready = (address: string) => endpoint(address, { ready: false });
    const { registry, heard } = listening([unready("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3")]);
    registry.setEndpoints(chat, [unready("10.0.0.1"), unready("10.0.0.2"), endpoint("10.0.0.3")]);
    registry.setEndpoints(chat, [unready("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3")]);
    expect(heard).toEqual(["10.0.0.1 unready", "10.0.0.1 stays", "10.0.0.1 unready"]);
  });

  test("an empty list, or none at all, takes back that one has vanished, but not that one terminates", () => {
    for (const nothing of [[], null]) {
      const { registry, heard } = listening([endpoint("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3")]);
      for (let i = 0; i < 3; i++) registry.acquire(rule([chat, 1]), WISH)?.opened();
      registry.setEndpoints(chat, [leaves("10.0.0.1"), endpoint("10.0.0.3")]);
      registry.setEndpoints(chat, nothing);
      expect(heard).toEqual(["10.0.0.1 terminating", "10.0.0.2 vanished", "10.0.0.2 stays"]);
    }
  });

  test("who hears of one finds all of them as they stand now", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1"), endpoint("10.0.0.2")] });
    const found: string[][] = [];
    registry.onDeparture(() => {
      found.push([...registry.backends()].map(({ backend, standing }) => `${backend.address} ${standing}`));
      expect(registry.acquire(rule([chat, 1]), WISH)?.backend.address).toBe("10.0.0.3");
    });
    registry.setEndpoints(chat, [leaves("10.0.0.1"), leaves("10.0.0.2"), endpoint("10.0.0.3")]);
    const standing = ["10.0.0.1 terminating", "10.0.0.2 terminating", "10.0.0.3 serving"];
    expect(found).toEqual([standing, standing]);
  });

  test("a backend without leases that vanishes is told before it is forgotten, and is not there afterwards", () => {
    const { registry, heard } = listening([endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
    registry.onForgotten((backend) => heard.push(`${backend.address} forgotten`));
    registry.setEndpoints(chat, [endpoint("10.0.0.2")]);
    expect(heard).toEqual(["10.0.0.1 vanished", "10.0.0.1 forgotten"]);
    expect([...registry.backends()].map(({ backend }) => backend.address)).toEqual(["10.0.0.2"]);
  });

  test("a backend that was forgotten and is listed again begins anew", () => {
    const { registry, heard } = listening([leaves("10.0.0.1")], [endpoint("10.0.0.2")], [endpoint("10.0.0.1")]);
    expect(heard).toEqual(["10.0.0.1 terminating", "10.0.0.2 vanished"]);
    expect([...registry.backends()]).toMatchObject([{ standing: "serving", isCordoned: false }]);
  });

  test("since when a backend stands as it does is kept over lists that change nothing of it", () => {
    const clock = { ms: 100 };
    const registry = new UpstreamRegistry({ random: () => 0, now: () => clock.ms });
    const since = () => [...registry.backends()].map(({ standing, sinceMs }) => `${standing} ${sinceMs}`);
    registry.setEndpoints(chat, [endpoint("10.0.0.1")]);
    clock.ms = 200;
    registry.setEndpoints(chat, [endpoint("10.0.0.1")]);
    expect(since()).toEqual(["serving 100"]);
    registry.setEndpoints(chat, [leaves("10.0.0.1")]);
    clock.ms = 300;
    registry.setEndpoints(chat, [leaves("10.0.0.1"), endpoint("10.0.0.2")]);
    expect(since()).toEqual(["terminating 200", "serving 300"]);
  });
});

describe("cordons", () => {
  const list = [endpoint("10.0.0.1"), endpoint("10.0.0.2")];

  test("a cordoned backend takes no lease and keeps those it has; uncordoned it takes some again", () => {
    const { registry } = registryWith({ [chat]: list });
    registry.acquire(rule([chat, 1]), WISH)?.opened();
    registry.cordon("10.0.0.1:80");
    expect(new Set(addresses(6, () => registry.acquire(rule([chat, 1]), WISH)))).toEqual(new Set(["10.0.0.2"]));
    expect(statsOf(registry, chat)).toMatchObject({ ready: 1, draining: 1, tunnels: 1 });
    registry.uncordon("10.0.0.1:80");
    expect(new Set(addresses(6, () => registry.acquire(rule([chat, 1]), WISH))).size).toBe(2);
  });

  test("it holds in every upstream, over lists, and for backends that are yet to come", () => {
    const { registry } = registryWith({ [chat]: list, [canary]: [endpoint("10.0.0.1")] });
    registry.cordon("10.0.0.1:80");
    registry.cordon("10.0.0.3:80");
    registry.setEndpoints(chat, [...list, endpoint("10.0.0.3"), endpoint("10.0.0.1", { podUid: "new" })]);
    expect(new Set(addresses(6, () => registry.acquire(rule([chat, 1]), WISH)))).toEqual(new Set(["10.0.0.2"]));
    expect(registry.acquire(rule([canary, 1]), WISH)).toBeUndefined();
    expect([...registry.backends()].filter(({ isCordoned }) => isCordoned)).toHaveLength(4);
  });

  test("it is no departure: nobody is told to leave, and an uncordoned backend that terminates stays out", () => {
    const { registry } = registryWith({ [chat]: list });
    const heard: unknown[] = [];
    registry.onDeparture((_, departure) => heard.push(departure));
    registry.cordon("10.0.0.1:80");
    registry.setEndpoints(chat, [...list]);
    expect(heard).toEqual([]);
    registry.setEndpoints(chat, [endpoint("10.0.0.1", { terminating: true }), endpoint("10.0.0.2")]);
    registry.uncordon("10.0.0.1:80");
    expect(new Set(addresses(6, () => registry.acquire(rule([chat, 1]), WISH)))).toEqual(new Set(["10.0.0.2"]));
  });

  test("the weight of an upstream whose backends are all cordoned goes to the others", () => {
    const { registry } = registryWith({ [chat]: list, [canary]: [endpoint("10.0.0.9")] });
    registry.cordon("10.0.0.9:80");
    expect(addresses(4, () => registry.acquire(rule([chat, 1], [canary, 9]), WISH))).not.toContain("10.0.0.9");
  });
});

test("tunnels of a backend are counted by who it is: not handshakes, and nothing of a backend that is gone", () => {
  const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
  const leases = [1, 2, 3].map(() => registry.acquire(rule([chat, 1]), WISH));
  leases[0]?.opened();
  leases[1]?.opened();
  const backend = leases[0]!.backend;
  expect(registry.tunnelsOf(backend)).toBe(2);
  registry.setEndpoints(chat, [endpoint("10.0.0.2")]);
  leases[0]?.release("closed");
  expect(registry.tunnelsOf(backend)).toBe(1);
  for (const lease of leases) lease?.release("closed");
  expect(registry.tunnelsOf(backend)).toBe(0);
});
