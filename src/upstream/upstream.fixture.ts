import type { Balancing, Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import { backendId } from "./backend-state.ts";
import { UpstreamRegistry } from "./registry.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import type { BackendId, BalancedRule, Wish } from "./types.ts";

export const CHAT = "apps/chat:80" as UpstreamKey;
export const NONE: ReadonlySet<BackendId> = new Set();
/** Of a handshake that comes first, and has nothing to be told by. */
export const WISH = wish({});

export function endpoint(address: string, change: Partial<Endpoint> = {}): Endpoint {
  return { address, port: 80, podUid: undefined, ready: true, serving: true, terminating: false, ...change };
}

/** Of a handshake. */
export function wish(change: Partial<Wish>): Wish {
  return { use: "tunnel", tried: NONE, hashKey: undefined, affinity: [], ...change };
}

/** `10.0.0.0`, `10.0.0.1` ... */
export function endpoints(count: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => endpoint(addressOf(index)));
}

export function addressOf(index: number): string {
  return `10.0.${index >> 8}.${index & 255}`;
}

export function idOf(index: number): BackendId {
  return backendId(endpoint(addressOf(index)));
}

export const HASHED: Balancing = { algorithm: "ConsistentHash", hashOn: { type: "ClientIP" } };

/** A rule with these weights on its upstreams: `{ "apps/chat:80": 1 }`. */
export function ruleOf(
  balancing: Balancing | "LeastTunnels" | "RoundRobin" | "Random",
  weights: Readonly<Record<string, number>> = { [CHAT]: 1 },
  policy: Partial<BalancedRule["policy"]> = {},
): BalancedRule {
  return {
    id: "apps/r/0" as RuleId,
    backends: Object.entries(weights).map(([upstream, weight]) => ({ upstream: upstream as UpstreamKey, weight })),
    policy: {
      ...QUIET_POLICY,
      balancing: typeof balancing === "string" ? { algorithm: balancing } : balancing,
      ...policy,
    },
  };
}

/** Numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** A registry with so many backends in CHAT. */
export function registryOf(backends: number, random: () => number = seeded(1)): UpstreamRegistry {
  const registry = new UpstreamRegistry({ random, now: () => 0 });
  registry.setEndpoints(CHAT, endpoints(backends));
  return registry;
}

/** Leases by address, of all that the registry knows. */
export function leasesIn(registry: UpstreamRegistry): ReadonlyMap<string, number> {
  return new Map([...registry.backends()].map(({ backend, pending, tunnels }) => [backend.address, pending + tunnels]));
}
