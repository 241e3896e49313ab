import { type Balancing, type Endpoint, ruleId, type UpstreamKey, upstreamKey } from "../../src/routing/index.ts";
import { QUIET_POLICY } from "../../src/routing/rule-policy.fixture.ts";
import { type BalancedRule, UpstreamRegistry, type Wish } from "../../src/upstream/index.ts";
import type { Scenario, Work } from "./scenario.ts";

const LEASES = 10_000;
const CHAT = upstreamKey("apps", "chat", 80);
const CANARY = upstreamKey("apps", "canary", 80);
const WISH: Wish = { use: "tunnel", tried: new Set(), hashKey: undefined, affinity: [] };
const TURNS: Balancing = { algorithm: "RoundRobin" };
const ALGORITHMS: readonly Balancing[] = [
  { algorithm: "LeastTunnels" },
  { algorithm: "Random" },
  { algorithm: "ConsistentHash", hashOn: { type: "ClientIP" } },
];
const WISHES: readonly Wish[] = Array.from({ length: LEASES }, (_, n) => ({
  ...WISH,
  hashKey: `10.0.${n >> 8}.${n & 255}`,
}));

function endpoints(count: number, net: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, n) => ({
    address: `10.${net}.${n >> 8}.${n & 255}`,
    port: 8_000 + net,
    podUid: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
    ready: true,
    serving: true,
    terminating: false,
  }));
}

/** The sum of the ports tells how often each upstream was chosen. */
function leasing(weights: readonly (readonly [UpstreamKey, number])[], backends: number, portSum: number): Work {
  const registry = new UpstreamRegistry({ random: () => 0, now: () => 0 });
  registry.setEndpoints(CHAT, endpoints(backends, 1));
  registry.setEndpoints(CANARY, endpoints(backends, 2));
  const rule: BalancedRule = {
    id: ruleId("apps/chat", "main"),
    backends: weights.map(([upstream, weight]) => ({ upstream, weight })),
    policy: { ...QUIET_POLICY, balancing: TURNS },
  };
  return {
    run: () => {
      let ports = 0;
      for (let n = 0; n < LEASES; n++) {
        const lease = registry.acquire(rule, WISH);
        if (lease === undefined) return -1;
        lease.opened();
        ports += lease.backend.port;
        lease.release("closed");
      }
      return ports;
    },
    expected: portSum,
  };
}

/** On backends that carry 16 tunnels each, give or take: a lease begins, and the one that began 512 leases ago ends. */
function balancing(how: Balancing, backends: number): Work {
  let state = 1;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const registry = new UpstreamRegistry({ random, now: () => 0 });
  registry.setEndpoints(CHAT, endpoints(backends, 1));
  const backendRefs = [{ upstream: CHAT, weight: 1 }];
  const rule: BalancedRule = {
    id: ruleId("apps/chat", "main"),
    backends: backendRefs,
    policy: { ...QUIET_POLICY, balancing: how },
  };
  for (let n = 0; n < 16 * backends; n++) registry.acquire(rule, WISHES[n % LEASES] ?? WISH)?.opened();
  const kept = Array.from({ length: 512 }, (_, n) => registry.acquire(rule, WISHES[n] ?? WISH));
  return {
    run: () => {
      let ports = 0;
      for (let n = 0; n < LEASES; n++) {
        const lease = registry.acquire(rule, WISHES[n] ?? WISH);
        if (lease === undefined) return -1;
        lease.opened();
        ports += lease.backend.port;
        kept[n % kept.length]?.release("closed");
        kept[n % kept.length] = lease;
      }
      return ports;
    },
    expected: LEASES * 8_001,
  };
}

/** Acquire, opened and release. */
export function scenarios(): readonly Scenario[] {
  const scenario = (name: string, setup: () => Work): Scenario => ({ name, unit: "µs", units: LEASES, setup });
  const single = [1, 10, 1_000].map((backends) =>
    scenario(`lease, ${backends.toLocaleString("en")} ${backends === 1 ? "backend" : "backends"}`, () =>
      leasing([[CHAT, 1]], backends, LEASES * 8_001),
    ),
  );
  const weighted = scenario("lease, two upstreams of 10, weights 9 and 1", () =>
    leasing(
      [
        [CHAT, 9],
        [CANARY, 1],
      ],
      10,
      LEASES * 8_001 + LEASES / 10,
    ),
  );
  const balanced = [TURNS, ...ALGORITHMS].flatMap((how) =>
    [3, 100, 1_000].map((backends) =>
      scenario(`lease, ${how.algorithm}, ${backends.toLocaleString("en")} backends under load`, () =>
        balancing(how, backends),
      ),
    ),
  );
  return [...single, weighted, ...balanced];
}
