import fc from "fast-check";
import { expect, test } from "vitest";
import { type RuleId, type UpstreamKey, upstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type BackendFacts, type BalancedRule, type Lease, type LeaseOutcome, UpstreamRegistry } from "./index.ts";
import { endpoint, NONE, ruleOf, seeded, wish } from "./upstream.fixture.ts";

const UPSTREAMS = [upstreamKey("apps", "a", 80), upstreamKey("apps", "b", 80)];
const PODS = 5;
const OUTCOMES: readonly LeaseOutcome[] = ["closed", "dialFailed", "badAnswer", "endedEarly", "refused", "lost"];

type PodState = "ready" | "unready" | "terminating" | "leaving" | "absent";
type Step =
  | { readonly do: "arrive"; readonly rule: number; readonly count: number; readonly triesAgain: boolean }
  | { readonly do: "open" | "end"; readonly pick: number; readonly outcome: LeaseOutcome }
  | { readonly do: "list"; readonly upstream: number; readonly states: readonly PodState[] | null }
  | { readonly do: "cordon" | "uncordon"; readonly upstream: number; readonly pod: number }
  | { readonly do: "weights"; readonly rule: number; readonly a: number; readonly b: number }
  | { readonly do: "limit"; readonly rule: number; readonly limit: number }
  | { readonly do: "probe"; readonly pick: number; readonly isFailing: boolean }
  | { readonly do: "pass"; readonly ms: number };

const upstream = fc.nat(1);
const rule = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("arrive" as const),
      rule,
      count: fc.integer({ min: 1, max: 12 }),
      triesAgain: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom("open" as const, "end" as const, "end" as const),
      pick: fc.nat(),
      outcome: fc.constantFrom(...OUTCOMES),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("list" as const),
      upstream,
      states: fc.option(
        fc.array(fc.constantFrom<PodState>("ready", "ready", "ready", "unready", "terminating", "leaving", "absent"), {
          minLength: PODS,
          maxLength: PODS,
        }),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("cordon" as const, "uncordon" as const),
      upstream,
      pod: fc.nat(PODS - 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("weights" as const), rule, a: fc.nat(3), b: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("limit" as const), rule, limit: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("probe" as const), pick: fc.nat(), isFailing: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
);

const PROBE = {
  key: "probe",
  type: "TCP" as const,
  path: "/",
  host: undefined,
  port: 0,
  intervalMs: 1_000,
  timeoutMs: 500,
  unhealthyAfter: 1,
  healthyAfter: 1,
};

/** Least tunnels; the same slowly begun; turns, with probes; two choices, that heed nothing. */
const POLICIES: readonly Partial<BalancedRule["policy"]>[] = [
  { balancing: { algorithm: "LeastTunnels" } },
  { balancing: { algorithm: "LeastTunnels" }, slowStartMs: 30_000 },
  { balancing: { algorithm: "RoundRobin" }, health: { ...QUIET_POLICY.health, panicPercent: 40, active: PROBE } },
  {
    balancing: { algorithm: "Random" },
    health: { ...QUIET_POLICY.health, passive: { ...QUIET_POLICY.health.passive, signs: [] } },
  },
].map((policy, n) => (n < 2 ? { ...policy, health: counting() } : policy)) as readonly Partial<
  BalancedRule["policy"]
>[];

function counting(): BalancedRule["policy"]["health"] {
  const { passive } = QUIET_POLICY.health;
  return {
    ...QUIET_POLICY.health,
    passive: { ...passive, signs: ["DialFailure", "BadAnswer", "EarlyEnd"], failures: 2 },
  };
}

interface Held {
  readonly lease: Lease;
  readonly facts: BackendFacts["backend"];
  isOpen: boolean;
}

/** A registry beside a plain account of who holds what. What the source says is remembered here, and not asked back. */
class Simulation {
  nowMs = 0;
  readonly registry: UpstreamRegistry;
  readonly #rules: BalancedRule[];
  #held: Held[] = [];
  readonly #states = new Map<string, PodState>();
  readonly #cordoned = new Set<string>();
  /** Nothing was ever said against them. */
  readonly #blamed = new Set<string>();
  readonly #failing = new Set<string>();

  constructor(seed: number) {
    this.registry = new UpstreamRegistry({ random: seeded(seed), now: () => this.nowMs });
    this.#rules = POLICIES.map((policy, n) => ({
      ...ruleOf("LeastTunnels", { [UPSTREAMS[0]!]: 2, [UPSTREAMS[1]!]: 1 }, policy),
      id: `apps/r/${n}` as RuleId,
    }));
    for (const n of UPSTREAMS.keys())
      this.#list(
        n,
        Array.from({ length: PODS }, () => "ready"),
      );
  }

  play(now: Step): void {
    if (now.do === "arrive") for (let n = 0; n < now.count; n++) this.#arrive(this.#rules[now.rule]!, now.triesAgain);
    else if (now.do === "open") this.#open(now.pick);
    else if (now.do === "end") this.#end(now.pick, now.outcome);
    else if (now.do === "list") this.#list(now.upstream, now.states);
    else if (now.do === "weights") this.#weigh(now.rule, [now.a, now.b]);
    else if (now.do === "limit") this.#limit(now.rule, now.limit);
    else if (now.do === "probe") this.#probe(now.pick, now.isFailing);
    else if (now.do === "pass") this.nowMs += now.ms;
    else if (now.do === "cordon" || now.do === "uncordon")
      this.#cordon(`${addressAt(now.upstream, now.pod)}:80`, now.do === "cordon");
    this.#checkCounts();
  }

  /** Everything ends: nothing may be left. */
  end(): void {
    while (this.#held.length > 0) this.#end(0, "closed");
    for (const key of UPSTREAMS) this.registry.setEndpoints(key, null);
    expect([...this.registry.keys()]).toEqual([]);
  }

  #arrive(rule: BalancedRule, triesAgain: boolean): void {
    const facts = [...this.registry.backends()];
    const first = this.#acquire(rule, facts, NONE);
    if (first === undefined || !triesAgain) return;
    this.#end(this.#held.length - 1, "lost");
    this.#acquire(rule, [...this.registry.backends()], new Set([first.backend.id]));
  }

  #acquire(rule: BalancedRule, before: readonly BackendFacts[], tried: typeof NONE): Lease | undefined {
    const offered = this.#offered(rule, before).filter(({ backend }) => !tried.has(backend.id));
    const lease = this.registry.acquire(rule, wish({ tried }));
    const isSomebodyWell = this.#offered(rule, before).length > 0;
    if (lease === undefined) {
      expect(offered, "somebody well and with room was there").toEqual([]);
      return undefined;
    }
    const chosen = before.find(({ backend }) => backend.id === lease.backend.id)!;
    expect(this.#isListedFor(rule, chosen), "it is listed, has a share, and no order holds it").toBe(true);
    expect(tried.has(chosen.backend.id)).toBe(false);
    const { maxTunnelsPerBackend } = rule.policy.admission;
    if (maxTunnelsPerBackend > 0) expect(this.#tunnelsOn(chosen)).toBeLessThan(maxTunnelsPerBackend);
    if (isSomebodyWell && rule.policy.health.passive.signs.length > 0) {
      expect(chosen.out?.why, "it could be dialled").not.toBe("DialFailure");
    }
    const beside = offered.filter(({ backend }) => backend.upstream === lease.backend.upstream);
    const fewest = Math.min(...beside.map((each) => this.#leasesOn(each)));
    const isLeast = rule.policy.balancing.algorithm === "LeastTunnels" && rule.policy.slowStartMs === 0;
    if (isLeast && beside.length > 0 && chosen.out === undefined) expect(this.#leasesOn(chosen)).toBe(fewest);
    this.#held.push({ lease, facts: lease.backend, isOpen: false });
    return lease;
  }

  /** Whom nothing speaks against, with room, as far as can be told without looking into the registry. */
  #offered(rule: BalancedRule, all: readonly BackendFacts[]): readonly BackendFacts[] {
    const { maxTunnelsPerBackend } = rule.policy.admission;
    const heedsSigns = rule.policy.health.passive.signs.length > 0;
    return all.filter((facts) => {
      const isWell = !heedsSigns || facts.out === undefined || facts.out.why === "Probe";
      const passes = rule.policy.health.active === undefined || !this.#failing.has(facts.backend.id);
      const hasRoom = maxTunnelsPerBackend === 0 || this.#tunnelsOn(facts) < maxTunnelsPerBackend;
      return this.#isListedFor(rule, facts) && isWell && passes && hasRoom;
    });
  }

  /** Ready, or about to go where nobody is ready: in its upstream, or at all where that one is the better. */
  #isListedFor(rule: BalancedRule, { backend }: BackendFacts): boolean {
    const weight = rule.backends.find((ref) => ref.upstream === backend.upstream)?.weight ?? 0;
    if (weight === 0 || this.#cordoned.has(backend.target)) return false;
    const state = this.#states.get(backend.address);
    if (state === "ready") return true;
    if (state !== "terminating") return false;
    return ![...this.#states].some(
      ([address, each]) =>
        each === "ready" && upstreamAt(address) === backend.upstream && !this.#cordoned.has(`${address}:80`),
    );
  }

  #open(pick: number): void {
    const held = this.#held[pick % this.#held.length];
    if (held === undefined) return;
    held.lease.opened();
    held.isOpen = true;
  }

  #end(pick: number, outcome: LeaseOutcome): void {
    const [held] = this.#held.splice(pick % Math.max(1, this.#held.length), 1);
    if (held === undefined) return;
    if (outcome === "dialFailed" || outcome === "badAnswer" || outcome === "endedEarly")
      this.#blamed.add(held.facts.id);
    held.lease.release(outcome);
    // Once is all that counts.
    held.lease.release("lost");
  }

  #list(n: number, states: readonly PodState[] | null): void {
    const key = UPSTREAMS[n]!;
    for (let pod = 0; pod < PODS; pod++) this.#states.set(addressAt(n, pod), states?.[pod] ?? "absent");
    const listed = (states ?? []).flatMap((state, pod) => {
      if (state === "absent") return [];
      const terminating = state === "terminating" || state === "leaving";
      return [endpoint(addressAt(n, pod), { ready: state === "ready", serving: state !== "leaving", terminating })];
    });
    this.registry.setEndpoints(key, states === null ? null : listed);
  }

  #weigh(n: number, weights: readonly number[]): void {
    const backends = UPSTREAMS.map((each, at) => ({ upstream: each, weight: weights[at] ?? 0 }));
    this.#rules[n] = { ...this.#rules[n]!, backends };
  }

  #limit(n: number, maxTunnelsPerBackend: number): void {
    const rule = this.#rules[n]!;
    const admission = { ...rule.policy.admission, maxTunnelsPerBackend };
    this.#rules[n] = { ...rule, policy: { ...rule.policy, admission } };
  }

  #probe(pick: number, isFailing: boolean): void {
    const all = [...this.registry.backends()];
    const found = all[pick % Math.max(1, all.length)]?.backend;
    if (found === undefined) return;
    this.registry.verdicts.set("probe", found.id, isFailing ? "failing" : "well");
    if (isFailing) this.#failing.add(found.id);
    else this.#failing.delete(found.id);
  }

  #cordon(target: string, isCordoned: boolean): void {
    if (isCordoned) this.registry.cordon(target);
    else this.registry.uncordon(target);
    if (isCordoned) this.#cordoned.add(target);
    else this.#cordoned.delete(target);
  }

  #heldOn({ backend }: BackendFacts): readonly Held[] {
    return this.#held.filter(({ facts }) => facts.id === backend.id && facts.upstream === backend.upstream);
  }

  #leasesOn(facts: BackendFacts): number {
    return this.#heldOn(facts).length;
  }

  #tunnelsOn(facts: BackendFacts): number {
    return this.#leasesOn(facts);
  }

  #checkCounts(): void {
    let counted = 0;
    for (const facts of this.registry.backends()) {
      const here = this.#heldOn(facts);
      const open = here.filter(({ isOpen }) => isOpen).length;
      expect({ pending: facts.pending, tunnels: facts.tunnels }).toEqual({
        pending: here.length - open,
        tunnels: open,
      });
      counted += here.length;
      const { out, backend } = facts;
      if (out !== undefined && out.why !== "Probe") expect(this.#blamed.has(backend.id), "for a reason").toBe(true);
    }
    expect(counted, "no lease is lost").toBe(this.#held.length);
    for (const { ready, pending, tunnels } of this.registry.stats())
      expect(Math.min(ready, pending, tunnels)).toBeGreaterThanOrEqual(0);
  }
}

function addressAt(n: number, pod: number): string {
  return `10.${n}.0.${pod}`;
}

function upstreamAt(address: string): UpstreamKey | undefined {
  return UPSTREAMS[Number(address.split(".")[1])];
}

test("any mix of arrivals, ends, endpoints, orders, weights, limits and probes: no lease is lost, and nobody gets what it may not", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(step, { maxLength: 60 }), (seed, steps) => {
      const simulation = new Simulation(seed);
      for (const each of steps) simulation.play(each);
      simulation.end();
    }),
    { numRuns: Number(process.env["HOLDFAST_SIMULATIONS"] ?? 300) },
  );
});
