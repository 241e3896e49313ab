import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import { type Backend, type BackendId, backendId, type Lease, UpstreamRegistry } from "./index.ts";

const chat = "apps/chat:80" as UpstreamKey;
const canary = "apps/canary:80" as UpstreamKey;
const none: ReadonlySet<BackendId> = new Set();

function endpoint(address: string, change: Partial<Endpoint> = {}): Endpoint {
  return { address, port: 80, podUid: undefined, ready: true, serving: true, terminating: false, ...change };
}

function rule(...backends: readonly (readonly [UpstreamKey, number])[]) {
  return { id: "apps/r/0" as RuleId, backends: backends.map(([upstream, weight]) => ({ upstream, weight })) };
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
    expect(addresses(6, () => registry.acquire(rule([chat, 1]), none))).toEqual([
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
    expect(addresses(3, () => registry.acquire(rule([chat, 1]), none))).toEqual(["10.0.0.2", "10.0.0.2", "10.0.0.2"]);
  });

  test("a backend that was tried is passed over, and when all were tried there is none", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1"), endpoint("10.0.0.2")] });
    const tried = new Set([backendId(endpoint("10.0.0.1"))]);
    expect(addresses(2, () => registry.acquire(rule([chat, 1]), tried))).toEqual(["10.0.0.2", "10.0.0.2"]);
    tried.add(backendId(endpoint("10.0.0.2")));
    expect(registry.acquire(rule([chat, 1]), tried)).toBeUndefined();
  });

  test("weights are kept exactly over each full round", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")], [canary]: [endpoint("10.0.0.9")] });
    const got = addresses(20, () => registry.acquire(rule([chat, 9], [canary, 1]), none));
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
    expect(new Set(addresses(10, () => registry.acquire(rule([chat, 1], [canary, 9]), none)))).toEqual(
      new Set(["10.0.0.1"]),
    );
  });

  test("weight 0 gets nothing, even when it is alone", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    expect(registry.acquire(rule([chat, 0]), none)).toBeUndefined();
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
        const got = addresses(total, () => registry.acquire(rule(...refs), none));
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
    const lease = registry.acquire(rule([chat, 1]), none);
    lease?.opened();
    registry.setEndpoints(chat, [endpoint("10.0.0.2")]);
    expect(statsOf(registry, chat)).toEqual({ upstream: chat, ready: 1, draining: 1, pending: 0, tunnels: 1 });
    expect(addresses(2, () => registry.acquire(rule([chat, 1]), none))).toEqual(["10.0.0.2", "10.0.0.2"]);
    expect(forgotten).toEqual([]);
    lease?.release("closed");
    expect(forgotten.map((backend) => backend.address)).toEqual(["10.0.0.1"]);
    expect(statsOf(registry, chat)?.draining).toBe(0);
  });

  test("a backend that comes back before its last tunnel ended is the same one, with its count", () => {
    const { registry, forgotten } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    registry.acquire(rule([chat, 1]), none)?.opened();
    registry.setEndpoints(chat, []);
    registry.setEndpoints(chat, [endpoint("10.0.0.1")]);
    expect(statsOf(registry, chat)).toEqual({ upstream: chat, ready: 1, draining: 0, pending: 0, tunnels: 1 });
    expect(forgotten).toEqual([]);
  });

  test("a new Pod on a reused address is another backend", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1", { podUid: "old" })] });
    registry.acquire(rule([chat, 1]), none)?.opened();
    registry.setEndpoints(chat, [endpoint("10.0.0.1", { podUid: "new" })]);
    expect(statsOf(registry, chat)).toEqual({ upstream: chat, ready: 1, draining: 1, pending: 0, tunnels: 1 });
  });

  test("an upstream that no rule names is forgotten once its last tunnel ended", () => {
    const { registry } = registryWith({ [chat]: [endpoint("10.0.0.1")] });
    const lease = registry.acquire(rule([chat, 1]), none);
    lease?.opened();
    registry.setEndpoints(chat, null);
    expect([...registry.keys()]).toEqual([chat]);
    expect(registry.acquire(rule([chat, 1]), none)).toBeUndefined();
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
    const lease = registry.acquire(rule([chat, 1]), none);
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
            leases.push(...[registry.acquire(rule([chat, 1]), none)].filter((got) => got !== undefined));
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
