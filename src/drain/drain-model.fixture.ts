import type { Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import type { Closed, WorldTunnel } from "./drain.fixture.ts";
import type { FollowedRule, Orders } from "./index.ts";
import { lastCloseMs, PaceJudge } from "./pace-judge.fixture.ts";

const TICK_MS = 50;
const GRACE_MS = 5_000;

/** What the source says of a Pod, in the model's words. */
interface Pod {
  readonly upstream: UpstreamKey;
  readonly target: string;
  listed: Endpoint | undefined;
  leaving: "terminating" | "vanished" | "unready" | undefined;
  sinceMs: number;
  leases: number;
}

/** An order in force; its reason is what clients are told, so that a Close says whose it is. */
interface Order extends Orders {
  readonly id: string;
  readonly cause: string;
  readonly names: (tunnel: WorldTunnel) => boolean;
  readonly pace: PaceJudge;
  beginMs: number;
}

/** A tunnel's time: of the drain it is in, and its own. */
interface Term {
  readonly beginMs: number;
  readonly withinMs: number;
  readonly openedAtMs: number;
}

interface RuleDrain {
  readonly ruleId: RuleId;
  readonly pod: Pod;
  beginMs: number;
}

/**
 * What is to happen to tunnels, said as the rules of drains say it, without queues, slots and timers: a judge of what
 * did happen. Every method throws on what must not be.
 */
export class DrainModel {
  readonly orders = new Map<string, Order>();
  readonly #pods = new Map<string, Pod>();
  readonly #rules = new Map<RuleId, FollowedRule>();
  readonly #rulePaces = new Map<RuleId, PaceJudge>();
  readonly #tunnels = new Map<WorldTunnel, { readonly pod: Pod; readonly openedAtMs: number }>();
  #drains: RuleDrain[] = [];
  /** The last tick that timers have seen. */
  #tickMs = 0;
  #steppedAtMs = 0;
  /** Timers were later than they are while nothing holds the process up. */
  #wasDelayed = false;
  #lagsUntilMs = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  list(upstream: UpstreamKey, endpoints: readonly Endpoint[] | null): void {
    for (const pod of this.#podsOf(upstream)) pod.listed = undefined;
    for (const endpoint of endpoints ?? []) this.#pod(upstream, endpoint).listed = endpoint;
    const staying = (endpoints ?? []).filter(({ terminating }) => !terminating);
    const ready = staying.filter((endpoint) => endpoint.ready);
    const isMostlyUnready = ready.length < staying.length / 2;
    for (const pod of this.#podsOf(upstream)) {
      const leaving = leavingOf(pod, { hasOthers: (endpoints ?? []).length > 0, isMostlyUnready });
      if (leaving !== pod.leaving) pod.sinceMs = this.#now();
      pod.leaving = leaving;
      this.#forget(pod);
    }
    this.#settle();
  }

  edit(id: RuleId, rule: FollowedRule): void {
    const { withinMs, perSecond } = rule.policy.drain;
    const before = this.#rules.get(id)?.policy.drain.withinMs ?? withinMs;
    this.#rules.set(id, rule);
    this.#paceOf(id).setRate(perSecond, this.#now());
    for (const drain of this.#drains.filter(({ ruleId }) => ruleId === id)) {
      // Near its end it may or may not be late yet.
      if (before !== withinMs || this.#now() >= drain.beginMs + before - 2 * TICK_MS) drain.beginMs = this.#now();
    }
    this.#settle();
  }

  /** A handshake took a place, or found none. */
  acquired(id: RuleId, backend: WorldTunnel["context"]["lease"]["backend"] | undefined): void {
    const shares = new Set(
      (this.#rules.get(id)?.backends ?? []).flatMap((ref) => (ref.weight > 0 ? ref.upstream : [])),
    );
    const held = new Set([...this.orders.values()].map((order) => order.id));
    const taking = [...this.#pods].filter(
      ([, { upstream, target }]) => shares.has(upstream) && !held.has(`backend/${target}`),
    );
    const serving = taking.filter(([, { listed }]) => listed?.ready === true && !listed.terminating);
    // Those that go and still serve are better than none.
    const offered = serving.length > 0 ? serving : taking.filter(([, { listed }]) => listed?.terminating === true);
    if (backend === undefined) return check(offered.length === 0, "no backend is offered though one is there");
    const key = `${backend.upstream} ${backend.id}`;
    check(
      offered.some(([known]) => known === key),
      `${key} takes a new tunnel though it leaves, is held or has no share`,
    );
    this.#podOf(backend).leases += 1;
  }

  released(backend: WorldTunnel["context"]["lease"]["backend"]): void {
    const pod = this.#podOf(backend);
    pod.leases -= 1;
    this.#forget(pod);
  }

  opened(tunnel: WorldTunnel): void {
    this.#tunnels.set(tunnel, { pod: this.#podOf(tunnel.context.lease.backend), openedAtMs: this.#now() });
    this.#settle();
  }

  ended(tunnel: WorldTunnel): void {
    this.#tunnels.delete(tunnel);
    this.released(tunnel.context.lease.backend);
    this.#settle();
  }

  ordered(order: Omit<Order, "pace" | "beginMs">): void {
    const before = this.orders.get(order.id);
    const isAnew = before === undefined || before.withinMs !== order.withinMs || this.#isNearlyLate(before);
    const pace = before?.pace ?? new PaceJudge();
    pace.setRate(order.perSecond, this.#now());
    this.orders.set(order.id, { ...order, pace, beginMs: isAnew ? this.#now() : before.beginMs });
  }

  /** A tunnel is told to close: may it be, by whom it says, with these words, now? */
  closed(tunnel: WorldTunnel, { cause, code, reason }: Closed): void {
    check(!tunnel.isEnding, "a tunnel is told twice");
    if (cause !== "drained") return this.#closedByOrder(tunnel, { cause, code, reason });
    const { ruleId } = tunnel.context;
    const { pod } = this.#facts(tunnel);
    const drain = this.#rules.get(ruleId)?.policy.drain;
    check(this.#mayLeave(ruleId, pod, this.#now()), `${pod.target} is ${pod.leaving}: nobody wants the tunnel closed`);
    check(code === drain?.closeCode && reason === drain?.closeReason, "not the words of the rule");
    const wrong = this.#paceOf(ruleId).closed(this.#now());
    check(wrong === undefined, `${ruleId}: ${wrong}`);
  }

  #closedByOrder(tunnel: WorldTunnel, { cause, code, reason }: Omit<Closed, "name" | "atMs">): void {
    const order = [...this.orders.values()].find((each) => each.cause === cause && each.closeReason === (reason ?? ""));
    check(order?.names(tunnel) === true, `no order in force names the tunnel: ${reason}`);
    check(cause === "proxy_shutdown" || code === order?.closeCode, "a code that no order has");
    const wrong = order?.pace.closed(this.#now());
    check(wrong === undefined, `${order?.id}: ${wrong}`);
  }

  /** Time passed, and timers have not heard of it yet: what is set anew meanwhile may come a tick later. */
  lagged(): void {
    this.#lagsUntilMs = Number.POSITIVE_INFINITY;
  }

  /** Timers have run up to now. */
  stepped(): void {
    const step = { nowMs: this.#now(), stepMs: this.#now() - this.#steppedAtMs };
    this.#steppedAtMs = this.#now();
    if (this.#lagsUntilMs === Number.POSITIVE_INFINITY) this.#lagsUntilMs = this.#now() + TICK_MS;
    this.#wasDelayed ||= step.stepMs > 2 * TICK_MS;
    this.#tickMs = Math.floor(this.#now() / TICK_MS) * TICK_MS;
    const isLagging = this.#now() < this.#lagsUntilMs;
    const untold = [...this.#tunnels].filter(([tunnel]) => !tunnel.isEnding && !isLagging);
    for (const [id, pace] of this.#rulePaces) {
      const { withinMs } = this.#rules.get(id)?.policy.drain ?? { withinMs: 0 };
      const drains = this.#drains.filter(({ ruleId }) => ruleId === id);
      const overdue = untold.filter(([{ context }, { pod, openedAtMs }]) =>
        drains.some(
          (drain) =>
            drain.pod === pod &&
            context.ruleId === id &&
            this.#isBehind(pace, { beginMs: drain.beginMs, withinMs, openedAtMs }),
        ),
      );
      const wrong = pace.stepped(overdue.length, step);
      check(wrong === undefined, `${id}: ${wrong}`);
    }
    for (const { id, names, beginMs, withinMs, pace } of this.orders.values()) {
      const overdue = untold.filter(
        ([tunnel, { openedAtMs }]) => names(tunnel) && this.#isBehind(pace, { beginMs, withinMs, openedAtMs }),
      );
      const wrong = pace.stepped(overdue.length, step);
      check(wrong === undefined, `${id}: ${wrong}`);
    }
    this.#settle();
  }

  /** Are these the drains under way? `rule target` of each. */
  compareDrains(found: readonly string[]): void {
    const pairs = new Map<string, { readonly ruleId: RuleId; readonly pod: Pod }>();
    const ids = new Map([...this.#pods.values()].map((pod, index) => [pod, index]));
    for (const [{ context }, { pod }] of this.#tunnels) {
      pairs.set(`${context.ruleId} ${ids.get(pod)}`, { ruleId: context.ruleId, pod });
    }
    const may = [...pairs.values()].filter(({ ruleId, pod }) => this.#mayLeave(ruleId, pod, this.#now()));
    for (const key of new Set([...found, ...this.#drains.map(nameOf)])) {
      const count = found.filter((each) => each === key).length;
      const least = this.#drains.filter((each) => nameOf(each) === key).length;
      const most = may.filter((each) => nameOf(each) === key).length;
      check(least <= count && count <= most, `${count} drains of ${key}, and there should be ${least} to ${most}`);
    }
  }

  /** The tail is for who was held up, and for who opened only then. */
  #isBehind(pace: PaceJudge, { beginMs, withinMs, openedAtMs }: Term): boolean {
    const lastMs = lastCloseMs(beginMs, withinMs);
    const mayUseTail = this.#wasDelayed || !pace.isFree || openedAtMs > lastMs;
    return this.#tickMs > Math.max(mayUseTail ? beginMs + withinMs : lastMs, openedAtMs) + TICK_MS;
  }

  #isNearlyLate({ beginMs, withinMs }: Order): boolean {
    return withinMs > 0 && this.#now() >= beginMs + withinMs - 2 * TICK_MS;
  }

  /** Do this rule's tunnels have to leave that Pod, for one whose clock stands there? */
  #mayLeave(id: RuleId, pod: Pod, clockMs: number): boolean {
    const rule = this.#rules.get(id);
    if (rule === undefined) return false;
    const { onBackendRemoval, onUnready, onZeroWeight } = rule.policy.drain;
    const weight = rule.backends.reduce((sum, ref) => sum + (ref.upstream === pod.upstream ? ref.weight : 0), 0);
    if (onZeroWeight === "Close" && weight === 0) return true;
    const isBelieved = clockMs - pod.sinceMs >= GRACE_MS;
    if (pod.leaving === "terminating") return onBackendRemoval === "Close";
    if (pod.leaving === "vanished") return onBackendRemoval === "Close" && isBelieved;
    return pod.leaving === "unready" && onUnready === "Close" && isBelieved;
  }

  /** Which drains are under way since when: those that have somebody to close, and whose time has been seen by timers. */
  #settle(): void {
    const drains: RuleDrain[] = [];
    for (const [{ context }, { pod }] of this.#tunnels) {
      const { ruleId } = context;
      if (!this.#mayLeave(ruleId, pod, this.#tickMs) && !this.#isImmediate(ruleId, pod)) continue;
      const isSame = (each: RuleDrain): boolean => each.ruleId === ruleId && each.pod === pod;
      if (!drains.some(isSame)) drains.push(this.#drains.find(isSame) ?? { ruleId, pod, beginMs: this.#now() });
    }
    this.#drains = drains;
  }

  #isImmediate(id: RuleId, pod: Pod): boolean {
    return this.#mayLeave(id, { ...pod, sinceMs: Number.POSITIVE_INFINITY }, this.#now());
  }

  #paceOf(id: RuleId): PaceJudge {
    const pace = this.#rulePaces.get(id) ?? new PaceJudge();
    this.#rulePaces.set(id, pace);
    return pace;
  }

  #facts(tunnel: WorldTunnel): { readonly pod: Pod; readonly openedAtMs: number } {
    const facts = this.#tunnels.get(tunnel);
    if (facts === undefined) throw new Error("a tunnel that is not there is told to close");
    return facts;
  }

  #podsOf(upstream: UpstreamKey): readonly Pod[] {
    return [...this.#pods.values()].filter((pod) => pod.upstream === upstream);
  }

  #podOf({ upstream, id }: WorldTunnel["context"]["lease"]["backend"]): Pod {
    const pod = this.#pods.get(`${upstream} ${id}`);
    if (pod === undefined) throw new Error(`${id} is not known`);
    return pod;
  }

  #pod(upstream: UpstreamKey, { podUid, address, port }: Endpoint): Pod {
    const key = `${upstream} ${podUid ?? ""}|${address}|${port}`;
    const target = `${address}:${port}`;
    const pod = this.#pods.get(key) ?? {
      upstream,
      target,
      listed: undefined,
      leaving: undefined,
      sinceMs: 0,
      leases: 0,
    };
    this.#pods.set(key, pod);
    return pod;
  }

  #forget(pod: Pod): void {
    if (pod.listed !== undefined || pod.leases > 0) return;
    for (const [key, each] of this.#pods) if (each === pod) this.#pods.delete(key);
  }
}

function nameOf({ ruleId, pod }: Pick<RuleDrain, "ruleId" | "pod">): string {
  return `${ruleId} ${pod.target}`;
}

function leavingOf(
  { listed, leaving }: Pod,
  { hasOthers, isMostlyUnready }: { readonly hasOthers: boolean; readonly isMostlyUnready: boolean },
): Pod["leaving"] {
  if (listed?.terminating === true) return "terminating";
  if (listed !== undefined) return listed.ready || isMostlyUnready ? undefined : "unready";
  if (leaving === "terminating") return "terminating";
  return hasOthers ? "vanished" : undefined;
}

function check(isRight: boolean, wrong: string): void {
  if (!isRight) throw new Error(wrong);
}
