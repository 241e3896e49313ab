import type { DrainPolicy, Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type Backend, type BackendId, type Lease, UpstreamRegistry } from "../upstream/index.ts";
import { wish } from "../upstream/upstream.fixture.ts";
import { CHAT, DrainWorld, RULE, type TunnelShape, type WorldTunnel } from "./drain.fixture.ts";
import { type FollowedRule, OrderedDrains, RuleDrains } from "./index.ts";

/** A rule's policy in stories: tunnels of removed backends are closed within 10 s. */
const CLOSING: DrainPolicy = { ...QUIET_POLICY.drain, onBackendRemoval: "Close", withinMs: 10_000 };

export function endpoint(address: string, change: Partial<Endpoint> = {}): Endpoint {
  return { address, port: 80, podUid: undefined, ready: true, serving: true, terminating: false, ...change };
}

/** A handshake under way: it has its place on a backend. */
export interface StoryHandshake {
  readonly backend: Backend;
  open(shape?: TunnelShape): WorldTunnel;
  fail(): void;
}

interface RuleEdit {
  readonly drain?: Partial<DrainPolicy>;
  readonly backends?: FollowedRule["backends"];
}

/** What a tunnel of a story is, and where: by default of RULE, and wherever its turn is. */
export interface Arrival extends TunnelShape {
  /** The address of its backend. */
  readonly on?: string;
}

/**
 * Rules, upstreams and drains in a process with a clock by hand, connected as in a data thread: live tunnels follow the
 * last rule there was of their id, and a rule that has none is not followed.
 */
export class Story {
  readonly world = new DrainWorld();
  readonly registry: UpstreamRegistry;
  readonly byRule: RuleDrains;
  readonly ordered: OrderedDrains;
  readonly #configured = new Map<RuleId, FollowedRule>();
  readonly #followed = new Map<RuleId, FollowedRule>();
  readonly #holders = new Map<RuleId, number>();
  readonly #leases = new Map<WorldTunnel, Lease>();

  constructor(random: () => number = () => 0.5) {
    const { wheel, now, observer, tunnels } = this.world;
    const around = { wheel, now, observer, random, tunnels };
    this.registry = new UpstreamRegistry({ random, now });
    this.byRule = new RuleDrains({
      ...around,
      rules: this.#followed,
      tunnelsOf: (backend) => this.registry.tunnelsOf(backend),
    });
    this.ordered = new OrderedDrains({ ...around, backends: this.registry });
    this.registry.onDeparture(this.byRule.departure);
    this.registry.onForgotten((backend) => this.byRule.forgotten(backend));
    this.world.onEnded = (tunnel) => this.#ended(tunnel);
  }

  /** The source lists these; null = no rule names the upstream any more. */
  list(endpoints: readonly (Endpoint | string)[] | null, upstream = CHAT): void {
    const listed = endpoints?.map((each) => (typeof each === "string" ? endpoint(each) : each));
    this.registry.setEndpoints(upstream, listed ?? null);
  }

  /** A rule as it is from now on; what is not named stays, or is as in stories. */
  edit({ drain, backends }: RuleEdit, id = RULE): void {
    const before = this.#configured.get(id);
    const policy = { ...QUIET_POLICY, drain: { ...(before?.policy.drain ?? CLOSING), ...drain } };
    const rule = { policy, backends: backends ?? before?.backends ?? [{ upstream: CHAT, weight: 1 }] };
    this.#configured.set(id, rule);
    if (!this.#followed.has(id)) return;
    this.#followed.set(id, rule);
    this.byRule.rulesChanged(new Set([id]));
  }

  /** The rule is gone; its tunnels follow the last there was. */
  remove(id = RULE): void {
    this.#configured.delete(id);
  }

  has(id: RuleId): boolean {
    return this.#configured.has(id);
  }

  /** Undefined = no backend is offered. */
  handshake({ ruleId = RULE, on }: Arrival = {}): StoryHandshake | undefined {
    const rule = this.#configured.get(ruleId);
    if (rule === undefined) return undefined;
    const others = [...this.registry.backends()].filter(({ backend }) => on !== undefined && backend.address !== on);
    const tried = new Set<BackendId>(others.map(({ backend }) => backend.id));
    const lease = this.registry.acquire({ id: ruleId, ...rule }, wish({ tried }));
    if (lease === undefined) return undefined;
    if (!this.#followed.has(ruleId)) this.#followed.set(ruleId, rule);
    this.#holders.set(ruleId, (this.#holders.get(ruleId) ?? 0) + 1);
    const { backend } = lease;
    return {
      backend,
      open: (shape = {}) => {
        lease.opened();
        const tunnel = this.world.open({ ...shape, ruleId, backend });
        this.#leases.set(tunnel, lease);
        this.byRule.opened(tunnel);
        this.ordered.opened(tunnel);
        return tunnel;
      },
      fail: () => this.#giveBack(ruleId, lease),
    };
  }

  /** So many tunnels open; throws when no backend is offered. */
  connect(count: number, arrival: Arrival = {}): readonly WorldTunnel[] {
    return Array.from({ length: count }, (_, index) => {
      const handshake = this.handshake(arrival);
      if (handshake === undefined) throw new Error(`no backend is offered for ${arrival.on ?? "anyone"}`);
      return handshake.open(arrival.name === undefined ? arrival : { ...arrival, name: `${arrival.name}${index}` });
    });
  }

  /** The addresses that new tunnels get. */
  get offered(): ReadonlySet<string> {
    const handshakes = Array.from({ length: 8 }, () => this.handshake());
    for (const handshake of handshakes) handshake?.fail();
    return new Set(handshakes.flatMap((handshake) => handshake?.backend.address ?? []));
  }

  #ended(tunnel: WorldTunnel): void {
    const lease = this.#leases.get(tunnel);
    if (lease !== undefined) this.#giveBack(tunnel.context.ruleId, lease);
    this.#leases.delete(tunnel);
    this.byRule.ended(tunnel);
    this.ordered.ended(tunnel);
  }

  #giveBack(id: RuleId, lease: Lease): void {
    lease.release("closed");
    const left = (this.#holders.get(id) ?? 0) - 1;
    this.#holders.set(id, left);
    if (left > 0) return;
    this.#holders.delete(id);
    this.#followed.delete(id);
  }
}

export const CANARY = "apps/canary:80" as UpstreamKey;
