import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Lease } from "./index.ts";
import {
  CHAT,
  HASHED,
  WISH,
  addressOf,
  endpoint,
  endpoints,
  idOf,
  leasesIn,
  registryOf,
  ruleOf,
  seeded,
  wish,
} from "./upstream.fixture.ts";

const LEAST = ruleOf("LeastTunnels");
const RANDOM = ruleOf("Random");
const TURNS = ruleOf("RoundRobin");
const HASH = ruleOf(HASHED);

/** The most and the fewest leases of one backend. */
function extremes(leases: ReadonlyMap<string, number>): readonly [number, number] {
  return [Math.max(...leases.values()), Math.min(...leases.values())];
}

function take(count: number, acquire: (n: number) => Lease | undefined): readonly Lease[] {
  return Array.from({ length: count }, (_, n) => {
    const lease = acquire(n);
    if (lease === undefined) throw new Error("no backend is offered");
    return lease;
  });
}

describe("LeastTunnels", () => {
  test("a thousand handshakes at once are spread evenly before any of them is a tunnel", () => {
    const registry = registryOf(20);
    take(1_000, () => registry.acquire(LEAST, WISH));
    expect(extremes(leasesIn(registry))).toEqual([50, 50]);
  });

  test("a fresh backend is filled up first, until it has as many as the others", () => {
    const registry = registryOf(3);
    take(90, () => registry.acquire(LEAST, WISH)).forEach((lease) => lease.opened());
    registry.setEndpoints(CHAT, endpoints(4));
    const filled = take(30, () => registry.acquire(LEAST, WISH)).map(({ backend }) => backend.address);
    expect(new Set(filled)).toEqual(new Set([addressOf(3)]));
    take(40, () => registry.acquire(LEAST, WISH));
    expect(extremes(leasesIn(registry))).toEqual([40, 40]);
  });

  test("leases of other rules and of requests count", () => {
    const registry = registryOf(2);
    const tried = new Set([idOf(1)]);
    take(5, () => registry.acquire(TURNS, wish({ tried }))).forEach((lease) => lease.opened());
    const others = take(5, () => registry.acquire(LEAST, WISH));
    expect(new Set(others.map(({ backend }) => backend.address))).toEqual(new Set([addressOf(1)]));
  });

  test("ties are broken at random, and evenly", () => {
    const registry = registryOf(10, seeded(7));
    const firsts = Array.from({ length: 5_000 }, () => {
      const lease = registry.acquire(LEAST, WISH);
      lease?.release("closed");
      return lease?.backend.address;
    });
    const counts = Map.groupBy(firsts, (address) => address);
    expect(counts.size).toBe(10);
    // 500 each; the standard deviation is 21.
    for (const { length } of counts.values()) expect(Math.abs(length - 500)).toBeLessThan(5 * 21);
  });

  test("a backend that comes back counts what it still carries", () => {
    const registry = registryOf(2);
    take(10, () => registry.acquire(LEAST, WISH)).forEach((lease) => lease.opened());
    registry.setEndpoints(CHAT, [endpoint(addressOf(0), { ready: false }), endpoint(addressOf(1))]);
    take(5, () => registry.acquire(LEAST, WISH));
    registry.setEndpoints(CHAT, endpoints(2));
    const next = take(5, () => registry.acquire(LEAST, WISH)).map(({ backend }) => backend.address);
    expect(new Set(next)).toEqual(new Set([addressOf(0)]));
  });
});

describe("Random", () => {
  test("of two the one with fewer leases is taken: with two backends, always", () => {
    const registry = registryOf(2);
    take(100, () => registry.acquire(RANDOM, WISH));
    expect(extremes(leasesIn(registry))).toEqual([50, 50]);
  });

  test("100,000 leases on 100 backends are within a few of each other, where one choice would be hundreds apart", () => {
    const registry = registryOf(100, seeded(3));
    take(100_000, () => registry.acquire(RANDOM, WISH));
    const [most, fewest] = extremes(leasesIn(registry));
    expect(most - fewest).toBeGreaterThan(0);
    expect(most - fewest).toBeLessThan(20);
  });

  test("every backend can be chosen, and the least of all is not always", () => {
    const registry = registryOf(10);
    const chosen = take(30, () => registry.acquire(RANDOM, WISH)).map(({ backend }) => backend.address);
    expect(new Set(chosen).size).toBe(10);
    expect(new Set(chosen.slice(0, 10)).size).toBeLessThan(10);
  });
});

describe("RoundRobin", () => {
  const turns = (registry: ReturnType<typeof registryOf>, count: number): string[] =>
    take(count, () => registry.acquire(TURNS, WISH)).map(({ backend }) => backend.address);

  test.for([
    { name: "the one that had its turn", gone: 1, want: [2, 3] },
    { name: "the one whose turn it is", gone: 2, want: [3, 0] },
    { name: "one whose turn is over", gone: 0, want: [2, 3] },
  ])("when $name leaves, nobody else is passed over", ({ gone, want }) => {
    const registry = registryOf(4, () => 0);
    expect(turns(registry, 2)).toEqual([addressOf(0), addressOf(1)]);
    registry.setEndpoints(
      CHAT,
      endpoints(4).filter(({ address }) => address !== addressOf(gone)),
    );
    expect(turns(registry, 2)).toEqual(want.map(addressOf));
  });

  test("what backends carry changes no turn", () => {
    const registry = registryOf(3, () => 0);
    take(50, () => registry.acquire(LEAST, wish({ tried: new Set([idOf(1), idOf(2)]) })));
    expect(turns(registry, 3)).toEqual([0, 1, 2].map(addressOf));
  });
});

/** Where each of so many keys goes while nobody else is there. */
function homes(registry: ReturnType<typeof registryOf>, keys: number): readonly string[] {
  return Array.from({ length: keys }, (_, n) => {
    const lease = registry.acquire(HASH, wish({ hashKey: `user-${n}` }));
    lease?.release("closed");
    return lease?.backend.address ?? "none";
  });
}

describe("ConsistentHash", () => {
  test("every replica sends a key to the same backend, whatever order it heard of them in", () => {
    const one = registryOf(20, seeded(1));
    const other = registryOf(0, seeded(2));
    for (const count of [3, 11, 7, 20]) other.setEndpoints(CHAT, endpoints(count).toReversed());
    homes(other, 1);
    other.setEndpoints(CHAT, endpoints(5));
    homes(other, 1);
    other.setEndpoints(CHAT, endpoints(20).toReversed());
    expect(homes(other, 2_000)).toEqual(homes(one, 2_000));
  });

  test("the places do not change from one version to the next", () => {
    expect(homes(registryOf(5), 8)).toMatchInlineSnapshot(`
      [
        "10.0.0.2",
        "10.0.0.0",
        "10.0.0.0",
        "10.0.0.3",
        "10.0.0.3",
        "10.0.0.4",
        "10.0.0.1",
        "10.0.0.4",
      ]
    `);
  });

  test("keys are spread over all backends, none with twice its share", () => {
    const counts = Map.groupBy(homes(registryOf(20), 20_000), (address) => address);
    expect(counts.size).toBe(20);
    for (const { length } of counts.values()) expect(Math.abs(length - 1_000)).toBeLessThan(350);
  });

  test("when 1 of 20 leaves only its own keys move, and when it comes back they return", () => {
    const registry = registryOf(20);
    const before = homes(registry, 5_000);
    const gone = addressOf(7);
    registry.setEndpoints(
      CHAT,
      endpoints(20).filter(({ address }) => address !== gone),
    );
    const without = homes(registry, 5_000);
    for (const [n, home] of without.entries()) {
      if (before[n] === gone) expect(home).not.toBe(gone);
      else expect(home).toBe(before[n]);
    }
    expect(new Set(without.filter((_, n) => before[n] === gone)).size).toBeGreaterThan(10);
    registry.setEndpoints(CHAT, endpoints(20));
    expect(homes(registry, 5_000)).toEqual(before);
  });

  test("a new backend takes its share from the others, and no key moves but to it", () => {
    const registry = registryOf(19);
    const before = homes(registry, 5_000);
    registry.setEndpoints(CHAT, endpoints(20));
    const moved = homes(registry, 5_000).filter((home, n) => home !== before[n]);
    expect(new Set(moved)).toEqual(new Set([addressOf(19)]));
    expect(moved.length).toBeGreaterThan(0.02 * 5_000);
    expect(moved.length).toBeLessThan(0.09 * 5_000);
  });

  test("one busy key fills no backend beyond 1.25 times the mean, and is spread when it must be", () => {
    const registry = registryOf(10);
    for (let n = 1; n <= 1_000; n++) {
      registry.acquire(HASH, wish({ hashKey: "everyone" }));
      expect(extremes(leasesIn(registry))[0]).toBeLessThanOrEqual(Math.ceil((1.25 * n) / 10));
    }
  });

  test("what was sent elsewhere for the load comes home once there is room", () => {
    const registry = registryOf(4);
    const [home] = homes(registry, 1);
    const full = take(100, () => registry.acquire(HASH, wish({ hashKey: "user-0" })));
    expect(registry.acquire(HASH, wish({ hashKey: "user-0" }))?.backend.address).not.toBe(home);
    for (const lease of full) if (lease.backend.address === home) lease.release("closed");
    expect(registry.acquire(HASH, wish({ hashKey: "user-0" }))?.backend.address).toBe(home);
  });

  test("a request with nothing to hash on goes where the fewest are", () => {
    const registry = registryOf(10);
    take(100, () => registry.acquire(HASH, WISH));
    expect(extremes(leasesIn(registry))).toEqual([10, 10]);
  });

  test("a failed backend's keys go to others, and not all to the same", () => {
    const registry = registryOf(10);
    const before = homes(registry, 500);
    const second = before.map((_, n) => {
      const lease = registry.acquire(HASH, wish({ tried: new Set([idOf(0)]), hashKey: `user-${n}` }));
      lease?.release("closed");
      return lease?.backend.address;
    });
    expect(second).not.toContain(addressOf(0));
    expect(second.filter((home, n) => home !== before[n] && before[n] !== addressOf(0))).toEqual([]);
    expect(new Set(second.filter((_, n) => before[n] === addressOf(0))).size).toBeGreaterThan(4);
  });
});

describe("each algorithm", () => {
  const any = fc.constantFrom(LEAST, RANDOM, TURNS, HASH);

  test("chooses none that was tried, and one as long as one is left", () => {
    fc.assert(
      fc.property(any, fc.integer({ min: 0, max: 9 }), fc.array(fc.nat(8)), fc.nat(), (rule, backends, tried, seed) => {
        const registry = registryOf(backends, seeded(seed));
        const ids = new Set(tried.map(idOf));
        const lease = registry.acquire(rule, wish({ tried: ids, hashKey: `key-${seed}` }));
        const left = Array.from({ length: backends }, (_, n) => idOf(n)).filter((id) => !ids.has(id));
        expect(left.length === 0 ? lease === undefined : left.includes(lease!.backend.id)).toBe(true);
      }),
    );
  });

  test.for([LEAST, RANDOM, TURNS, HASH])("chooses none that is cordoned: $policy.balancing.algorithm", (rule) => {
    const registry = registryOf(3);
    registry.cordon(`${addressOf(1)}:80`);
    const chosen = take(60, (n) => registry.acquire(rule, wish({ hashKey: `key-${n}` }))).map(
      ({ backend }) => backend.address,
    );
    expect(new Set(chosen)).toEqual(new Set([addressOf(0), addressOf(2)]));
  });
});
