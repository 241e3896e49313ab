import type { DrainPolicy, Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { CHAT, type WorldTunnel } from "./drain.fixture.ts";
import { DrainModel } from "./drain-model.fixture.ts";
import { type Orders, PROCESS_DRAIN } from "./index.ts";
import { CANARY, endpoint, Story, type StoryHandshake } from "./story.fixture.ts";

export const UPSTREAMS = [CHAT, CANARY] as const;
export const RULES = ["apps/chat/0", "apps/chat/1", "apps/chat/2"] as readonly string[] as readonly RuleId[];
const ADDRESSES = 4;
const IN_NO_TIME = { closeCode: 1012, closeReason: "", perSecond: 0 };

const ALL_CLOSE = { onBackendRemoval: "Close", onUnready: "Close", onZeroWeight: "Close", withinMs: 8_000 } as const;

export type PodState = "ready" | "unready" | "terminating" | "absent" | "replaced";

/** A step of the simulation. Numbers that pick something wrap around. */
export type Step =
  | { readonly do: "pod"; readonly upstream: number; readonly pod: number; readonly state: PodState }
  | { readonly do: "list"; readonly upstream: number; readonly states: readonly PodState[] | null }
  | {
      readonly do: "edit";
      readonly rule: number;
      readonly drain: Partial<DrainPolicy>;
      readonly weights: [number, number];
    }
  | { readonly do: "remove"; readonly rule: number }
  | { readonly do: "connect"; readonly rule: number; readonly count: number; readonly lingerMs: number }
  | { readonly do: "handshake"; readonly rule: number }
  | { readonly do: "open" | "fail" | "end"; readonly pick: number }
  | { readonly do: "stop"; readonly pick: number }
  | { readonly do: "pass"; readonly ms: number; readonly stepMs: number }
  | { readonly do: "lag"; readonly ms: number }
  | { readonly do: "close"; readonly every: number; readonly withinMs: number; readonly perSecond: number }
  | { readonly do: "drainBackend"; readonly pod: number; readonly withinMs: number; readonly perSecond: number }
  | { readonly do: "drainProcess"; readonly graceMs: number; readonly withinMs: number; readonly perSecond: number }
  | { readonly do: "shutDown"; readonly withinMs: number };

const TUNNEL_STEPS = ["connect", "handshake", "open", "fail", "end"] as const;
const ORDER_STEPS = ["close", "drainBackend", "drainProcess", "shutDown"] as const;
const BACKEND_STEPS = ["pod", "list"] as const;

function isKind<Kind extends Step["do"]>(kinds: readonly Kind[]) {
  return (step: Step): step is Extract<Step, { do: Kind }> => (kinds as readonly string[]).includes(step.do);
}

const isOfTunnels = isKind(TUNNEL_STEPS);
const isOrder = isKind(ORDER_STEPS);
const isOfBackends = isKind(BACKEND_STEPS);

/** The drains and their judge, side by side. */
export class Simulation {
  readonly story: Story;
  readonly model: DrainModel;
  readonly #lists = new Map<UpstreamKey, (Endpoint | undefined)[]>();
  readonly #handshakes: StoryHandshake[] = [];
  readonly #policies = new Map<RuleId, DrainPolicy>();
  #generation = 0;
  #labels = 0;

  constructor(random: () => number) {
    this.story = new Story(random);
    const { world } = this.story;
    this.model = new DrainModel(world.now);
    const { onEnded } = world;
    world.onEnded = (tunnel) => {
      this.model.ended(tunnel);
      onEnded(tunnel);
    };
    world.onClose = (tunnel, closed) => this.model.closed(tunnel, closed);
    for (const upstream of UPSTREAMS)
      this.#setList(
        upstream,
        Array.from({ length: ADDRESSES }, (_, pod) => podAt(pod)),
      );
    for (const [rule] of RULES.entries()) {
      this.run({ do: "edit", rule, drain: rule === 0 ? {} : ALL_CLOSE, weights: [1, rule] });
      this.run({ do: "connect", rule, count: 12, lingerMs: rule * 300 });
    }
  }

  run(step: Step): void {
    if (isOrder(step)) this.#order(step);
    else if (isOfBackends(step)) this.#runList(step);
    else if (isOfTunnels(step)) this.#traffic(step);
    else this.#rest(step);
  }

  #traffic(step: Extract<Step, { do: (typeof TUNNEL_STEPS)[number] }>): void {
    if (step.do === "connect" || step.do === "handshake") this.#arrive(step);
    else this.#goOn(step);
  }

  #rest(step: Extract<Step, { do: "edit" | "remove" | "stop" | "pass" | "lag" }>): void {
    switch (step.do) {
      case "edit":
        return this.#edit(step);
      case "remove":
        return this.story.remove(RULES[step.rule]);
      case "stop":
        return this.#stop(pick([...this.model.orders.keys()], step.pick) ?? "none");
      case "pass":
        return this.pass(step.ms, step.stepMs);
      case "lag":
        this.story.world.nowMs += step.ms;
        this.model.lagged();
    }
  }

  /** What has to hold between any two steps. */
  compare(): void {
    const { byRule, ordered, registry, world } = this.story;
    this.model.compareDrains([...byRule.facts()].map(({ ruleId, backend }) => `${ruleId} ${backend}`));
    const cordoned = new Set([...this.model.orders.keys()].filter((id) => id.startsWith("backend/")));
    for (const { backend, isCordoned } of registry.backends()) {
      if (isCordoned !== cordoned.has(`backend/${backend.target}`)) throw new Error(`${backend.target}: ${isCordoned}`);
    }
    for (const { waiting, closing, id } of [...byRule.facts(), ...ordered.facts()]) {
      if (waiting + closing > world.tunnels.size) throw new Error(`${id} counts tunnels that are not there`);
    }
  }

  pass(ms: number, stepMs: number): void {
    const { world } = this.story;
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      world.pass(Math.min(leftMs, stepMs), stepMs);
      this.model.stepped();
    }
  }

  /** Every order is stopped, every tunnel and handshake ends, and all Pods are there again. */
  rest(): void {
    for (const id of this.model.orders.keys()) this.#stop(id);
    while (this.#handshakes.length > 0) this.#goOn({ do: "fail", pick: 0 });
    for (const tunnel of this.story.world.tunnels) this.story.world.end(tunnel);
    for (const upstream of UPSTREAMS)
      this.#setList(
        upstream,
        Array.from({ length: ADDRESSES }, (_, pod) => podAt(pod)),
      );
  }

  #runList(step: Extract<Step, { do: "pod" | "list" }>): void {
    const upstream = UPSTREAMS[step.upstream] ?? CHAT;
    if (step.do === "list") {
      const pods = step.states?.map((state, pod) => this.#podIn(state, podAt(pod)));
      return this.#setList(upstream, pods ?? null);
    }
    const pods = [...(this.#lists.get(upstream) ?? [])];
    pods[step.pod] = this.#podIn(step.state, pods[step.pod] ?? podAt(step.pod));
    this.#setList(upstream, pods);
  }

  #podIn(state: PodState, pod: Endpoint): Endpoint | undefined {
    if (state === "absent") return undefined;
    if (state === "replaced") this.#generation += 1;
    const podUid = state === "replaced" ? `pod-${this.#generation}` : pod.podUid;
    return { ...pod, podUid, ready: state !== "unready", terminating: state === "terminating" };
  }

  #setList(upstream: UpstreamKey, pods: (Endpoint | undefined)[] | null): void {
    this.#lists.set(upstream, pods ?? []);
    const listed = pods?.filter((pod) => pod !== undefined) ?? null;
    this.model.list(upstream, listed);
    this.story.list(listed, upstream);
  }

  #edit({ rule, drain, weights }: Extract<Step, { do: "edit" }>): void {
    const id = RULES[rule] as RuleId;
    const policy = { ...(this.#policies.get(id) ?? QUIET_POLICY.drain), ...drain };
    const backends = UPSTREAMS.map((upstream, index) => ({ upstream, weight: weights[index] ?? 0 }));
    this.#policies.set(id, policy);
    this.model.edit(id, { policy: { ...QUIET_POLICY, drain: policy }, backends });
    this.story.edit({ drain: policy, backends }, id);
  }

  #arrive(step: Extract<Step, { do: "connect" | "handshake" }>): void {
    const ruleId = RULES[step.rule] as RuleId;
    for (let i = 0; i < (step.do === "connect" ? step.count : 1); i++) {
      const handshake = this.story.handshake({ ruleId });
      if (this.story.has(ruleId)) this.model.acquired(ruleId, handshake?.backend);
      if (handshake === undefined) return;
      if (step.do === "handshake") this.#handshakes.push(handshake);
      else this.model.opened(handshake.open({ lingerMs: step.lingerMs }));
    }
  }

  #goOn(step: Extract<Step, { do: "open" | "fail" | "end" }>): void {
    if (step.do === "end") {
      const tunnel = pick([...this.story.world.tunnels], step.pick);
      if (tunnel !== undefined) this.story.world.end(tunnel);
      return;
    }
    const handshake = pick(this.#handshakes, step.pick);
    if (handshake === undefined) return;
    this.#handshakes.splice(this.#handshakes.indexOf(handshake), 1);
    if (step.do === "open") return this.model.opened(handshake.open());
    handshake.fail();
    this.model.released(handshake.backend);
  }

  #order(step: Extract<Step, { do: "close" | "drainBackend" | "drainProcess" | "shutDown" }>): void {
    const { ordered, world } = this.story;
    if (step.do === "shutDown") {
      for (const id of this.model.orders.keys()) this.model.orders.delete(id);
      ordered.shutDown(step.withinMs);
      const orders = { ...IN_NO_TIME, withinMs: step.withinMs };
      return this.model.ordered({ ...orders, id: "shutdown", cause: "proxy_shutdown", names: () => true });
    }
    this.#labels += 1;
    const { withinMs, perSecond } = step;
    const orders: Orders = { withinMs, perSecond, closeCode: 4_000 + this.#labels, closeReason: `${this.#labels}` };
    if (step.do === "drainBackend") {
      const target = podAt(step.pod).address;
      const facts = ordered.drainBackend(`${target}:80`, orders);
      const names = ({ context }: WorldTunnel): boolean => context.lease.backend.address === target;
      if (facts !== undefined) this.model.ordered({ ...orders, id: facts.id, cause: "admin", names });
    } else if (step.do === "drainProcess") {
      // Where the process ends already, that is the drain of it.
      const { id } = ordered.drainProcess({ ...orders, graceMs: step.graceMs });
      if (id === PROCESS_DRAIN) this.model.ordered({ ...orders, id, cause: "admin", names: () => true });
    } else {
      const picked = new Set([...world.tunnels].filter((_, index) => index % step.every === 0));
      const facts = ordered.close([...picked], orders, "picked");
      const names = (tunnel: WorldTunnel): boolean => picked.has(tunnel);
      if (facts !== undefined) this.model.ordered({ ...orders, id: facts.id, cause: "admin", names });
    }
  }

  #stop(id: string): void {
    this.story.ordered.stop(id);
    this.model.orders.delete(id);
  }
}

function podAt(pod: number): Endpoint {
  return endpoint(`10.0.0.${pod + 1}`);
}

function pick<Each>(from: readonly Each[], index: number): Each | undefined {
  return from[index % Math.max(1, from.length)];
}
