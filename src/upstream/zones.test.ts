import { expect, test } from "vitest";
import { type BalancedRule, UpstreamRegistry } from "./index.ts";
import { CHAT, endpoint, HASHED, ruleOf, seeded, wish } from "./upstream.fixture.ts";

const LEAST = ruleOf("LeastTunnels");

/** Backends for zone `a`, then for zone `b`, as one Holdfast in `zone` sees them. */
function registryIn(zone: string | undefined, near: number, far: number, change = {}): UpstreamRegistry {
  const registry = new UpstreamRegistry({ random: seeded(3), now: () => 0, zone });
  registry.setEndpoints(CHAT, [
    ...Array.from({ length: near }, (_, n) => endpoint(`10.0.0.${n}`, { zones: ["a"], ...change })),
    ...Array.from({ length: far }, (_, n) => endpoint(`10.0.1.${n}`, { zones: ["b"] })),
  ]);
  return registry;
}

function share(registry: UpstreamRegistry, count: number, rule: BalancedRule = LEAST): number {
  const there = Array.from({ length: count }, (_, n) => {
    const lease = registry.acquire(rule, wish({ hashKey: `${n}` }));
    lease?.opened();
    return lease?.backend.address ?? "none";
  });
  return there.filter((address) => address.startsWith("10.0.0.")).length;
}

test.for(["LeastTunnels", "RoundRobin", "Random"] as const)("%s: tunnels stay in the zone", (algorithm) => {
  expect(share(registryIn("a", 3, 3), 30, ruleOf(algorithm))).toBe(30);
});

test.for([
  { name: "a zone that is not known", zone: undefined },
  { name: "a zone that no endpoint is meant for", zone: "c" },
])("with $name all are alike", ({ zone }) => {
  expect(share(registryIn(zone, 3, 3), 30)).toBe(15);
});

test("a zone whose backends carry more than twice the mean gets help, until they do not", () => {
  const registry = registryIn("a", 1, 3);
  // Alone it would have all of them: 4 times the mean.
  expect(share(registry, 400)).toBeGreaterThan(190);
  const carried = [...registry.backends()].find(({ backend }) => backend.address === "10.0.0.0")?.tunnels ?? 0;
  expect(carried).toBeLessThanOrEqual(202);
});

test("with as many as it may have in the zone, nobody is sent away", () => {
  expect(share(registryIn("a", 2, 2), 1_000)).toBe(1_000);
});

test("in the zone too, who has lost most is filled first", () => {
  const registry = registryIn("a", 2, 2);
  const leases = Array.from({ length: 20 }, () => registry.acquire(LEAST, wish({})));
  for (const lease of leases) if (lease?.backend.address === "10.0.0.1") lease.release("closed");
  const next = Array.from({ length: 10 }, () => registry.acquire(LEAST, wish({}))?.backend.address);
  expect(new Set(next)).toEqual(new Set(["10.0.0.1"]));
});

test("when those of the zone are unready, the others serve", () => {
  expect(share(registryIn("a", 2, 2, { ready: false }), 10)).toBe(0);
});

test("when those of the zone are full, the others serve", () => {
  const admission = { ...LEAST.policy.admission, maxTunnelsPerBackend: 5 };
  const registry = registryIn("a", 2, 2);
  expect(share(registry, 14, ruleOf("LeastTunnels", { [CHAT]: 1 }, { admission }))).toBe(10);
});

test("a key has one backend, whichever zone asks", () => {
  const [here, there] = ["a", "b"].map((zone) => share(registryIn(zone, 5, 5), 1, ruleOf(HASHED)));
  expect(here).toBe(there);
  expect(share(registryIn("a", 5, 5), 200, ruleOf(HASHED))).toBeLessThan(140);
});

test("hints that come and go move new tunnels at once", () => {
  const registry = registryIn("a", 1, 1);
  expect(share(registry, 10)).toBe(10);
  registry.setEndpoints(CHAT, [endpoint("10.0.0.0"), endpoint("10.0.1.0")]);
  expect(share(registry, 10)).toBe(0);
  registry.setEndpoints(CHAT, [endpoint("10.0.0.0", { zones: ["a"] }), endpoint("10.0.1.0", { zones: ["b"] })]);
  expect(share(registry, 10)).toBe(10);
});
