import {
  type AgePlace,
  type BackendFilter,
  type BackendView,
  byAge,
  byName,
  type DrainFilter,
  type DrainOrders,
  type DrainView,
  filterInWords,
  mapPage,
  type Operations,
  type Page,
  pageOf,
  type Part,
  type ProcessDrainOrders,
  type RuleFilter,
  type RuleView,
  type TunnelFilter,
  tunnelTest,
  type TunnelView,
} from "../admin/index.ts";
import type { DrainFacts, OrderedDrains } from "../drain/index.ts";
import type { LiveContext } from "../proxy/index.ts";
import type { Tunnel } from "../relay/index.ts";
import type { TableRef } from "../routing/index.ts";
import { type BackendFacts, wordFor } from "../upstream/index.ts";
import { listRules } from "./rule-list.ts";

type LiveTunnel = Tunnel<LiveContext>;

/** Whom operators may look at and act on. All of it is read at the moment of each call. */
export interface ThreadOperationsOptions {
  /** As others may know this replica: the Pod's name, or the machine's. */
  readonly replica: string;
  readonly tunnels: Iterable<LiveTunnel>;
  readonly backends: { backends(): Iterable<BackendFacts> };
  readonly tables: TableRef;
  readonly ordered: Pick<OrderedDrains, "close" | "drainBackend" | "drainProcess" | "stop" | "whenOver" | "facts">;
  /** Drains that rules' policies began. */
  readonly byRule: { facts(): Iterable<DrainFacts> };
  /** The clock of the relay and of drains. */
  readonly now: () => number;
  /** Resolves when the event loop has served what waited. */
  readonly nextTurn: () => Promise<unknown>;
}

/** The ids of drains that an operator began and may stop; the process's own end is none of them. */
const OPERATORS_IDS = /^(process$|backend\/|close\/)/;

const TUNNEL_ORDER = byAge<LiveTunnel>(
  ({ openedAtMs }) => openedAtMs,
  ({ context }) => context.id,
);
const DRAIN_ORDER = byAge<DrainFacts>(
  ({ startedAtMs }) => startedAtMs,
  ({ id }) => id,
);
/** Two Pods may have had one address, one after the other, so the id is a part of the place. */
const BACKEND_ORDER = byName<BackendFacts>(({ backend }) => `${backend.upstream} ${backend.target} ${backend.id}`);

/** What operators may ask of the data thread. Each call holds it for a few milliseconds at most, with 10,000 tunnels. */
export class ThreadOperations implements Operations {
  readonly #options: ThreadOperationsOptions;

  constructor(options: ThreadOperationsOptions) {
    this.#options = options;
  }

  get replica(): string {
    return this.#options.replica;
  }

  tunnels(filter: TunnelFilter, part: Part<AgePlace>): Page<TunnelView, AgePlace> {
    const nowMs = this.#options.now();
    const page = pageOf(this.#picked(filter, nowMs), TUNNEL_ORDER, part);
    return mapPage(page, (tunnel) => tunnelView(tunnel, nowMs));
  }

  backends({ upstream }: BackendFilter, part: Part<string>): Page<BackendView, string> {
    const nowMs = this.#options.now();
    const picked = [...this.#options.backends.backends()].filter(
      ({ backend }) => upstream === undefined || backend.upstream === upstream,
    );
    const page = pageOf(picked, BACKEND_ORDER, part);
    const drains = Map.groupBy(this.#drainFacts(), ({ backend }) => backend);
    return mapPage(page, (facts) => backendView(facts, drains.get(facts.backend.target) ?? [], nowMs));
  }

  rules(filter: RuleFilter, part: Part<string>): Promise<Page<RuleView, string>> {
    const { tables, now, nextTurn } = this.#options;
    const count = (rules: ReadonlySet<string>): ReadonlyMap<string, number> => this.#countByRule(rules);
    return listRules({ table: tables.current, filter, part, tunnelsOf: count, turns: { now, nextTurn } });
  }

  drains({ id }: DrainFilter, part: Part<AgePlace>): Page<DrainView, AgePlace> {
    const nowMs = this.#options.now();
    const picked = [...this.#drainFacts()].filter((facts) => id === undefined || facts.id === id);
    const page = pageOf(picked, DRAIN_ORDER, part);
    return mapPage(page, (facts) => drainView(facts, nowMs));
  }

  close(filter: TunnelFilter, orders: DrainOrders): DrainView | undefined {
    const picked = [...this.#picked(filter, this.#options.now())];
    return this.#view(this.#options.ordered.close(picked, orders, filterInWords(filter)));
  }

  drainBackend(target: string, orders: DrainOrders): DrainView | undefined {
    return this.#view(this.#options.ordered.drainBackend(target, orders));
  }

  drainProcess(orders: ProcessDrainOrders): DrainView {
    return drainView(this.#options.ordered.drainProcess(orders), this.#options.now());
  }

  stopDrain(id: string): DrainView | undefined {
    return OPERATORS_IDS.test(id) ? this.#view(this.#options.ordered.stop(id)) : undefined;
  }

  async whenOver(id: string): Promise<DrainView | undefined> {
    return this.#view(await this.#options.ordered.whenOver(id));
  }

  *#picked(filter: TunnelFilter, nowMs: number): Iterable<LiveTunnel> {
    const isPicked = tunnelTest(filter);
    for (const tunnel of this.#options.tunnels) {
      const times = { ageMs: nowMs - tunnel.openedAtMs, idleMs: nowMs - tunnel.lastActiveAtMs };
      if (isPicked(tunnel.context, times)) yield tunnel;
    }
  }

  *#drainFacts(): Iterable<DrainFacts> {
    yield* this.#options.byRule.facts();
    yield* this.#options.ordered.facts();
  }

  #countByRule(rules: ReadonlySet<string>): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { context } of this.#options.tunnels) {
      if (rules.has(context.ruleId)) counts.set(context.ruleId, (counts.get(context.ruleId) ?? 0) + 1);
    }
    return counts;
  }

  #view(facts: DrainFacts | undefined): DrainView | undefined {
    return facts === undefined ? undefined : drainView(facts, this.#options.now());
  }
}

function tunnelView({ context, openedAtMs, lastActiveAtMs, stats }: LiveTunnel, nowMs: number): TunnelView {
  const { id, route, rule, upstream, backend, clientAddress } = context;
  const { bytesUp, bytesDown, messagesUp, messagesDown } = stats;
  return {
    id,
    route,
    rule,
    upstream,
    backend,
    client: clientAddress,
    ageMs: msSince(openedAtMs, nowMs),
    idleMs: msSince(lastActiveAtMs, nowMs),
    bytesUp,
    bytesDown,
    messagesUp,
    messagesDown,
  };
}

function backendView(facts: BackendFacts, drains: readonly DrainFacts[], nowMs: number): BackendView {
  const { backend, sinceMs, pending, tunnels } = facts;
  return {
    upstream: backend.upstream,
    backend: backend.target,
    podUid: backend.podUid,
    state: wordFor(facts),
    ejection: ejectionOf(facts, nowMs),
    stateMs: msSince(sinceMs, nowMs),
    tunnels,
    pending,
    drain: drainOf(facts, drains, nowMs),
  };
}

function ejectionOf({ out }: BackendFacts, nowMs: number): BackendView["ejection"] {
  if (out?.untilMs === undefined || out.why === "Probe") return undefined;
  return { sign: out.why, endsInMs: Math.max(0, Math.round(out.untilMs - nowMs)) };
}

/** What is under way on one backend, by whoever began it. `drains`: those of its address in any upstream. */
function drainOf({ backend }: BackendFacts, drains: readonly DrainFacts[], nowMs: number): BackendView["drain"] {
  const its = drains.filter(({ upstream }) => upstream === undefined || upstream === backend.upstream);
  if (its.length === 0) return undefined;
  return {
    left: sum(its.map(({ waiting, closing }) => waiting + closing)),
    closed: sum(its.map(({ gone }) => gone)),
    endsInMs: lastOf(its.map((drain) => endsInMs(drain, nowMs))),
  };
}

function drainView(facts: DrainFacts, nowMs: number): DrainView {
  const { id, reason, state, waiting, closing, gone, startedAtMs } = facts;
  return {
    id,
    reason,
    target: targetInWords(facts),
    state,
    waiting,
    closing,
    gone,
    ageMs: msSince(startedAtMs, nowMs),
    endsInMs: endsInMs(facts, nowMs),
  };
}

/** `rule apps/chat/main, backend 10.0.0.5:8010 of apps/chat:80`. */
function targetInWords({ text, ruleId, backend, upstream }: DrainFacts): string {
  if (text !== undefined) return text;
  const parts = [
    ...(ruleId === undefined ? [] : [`rule ${ruleId}`]),
    ...(backend === undefined ? [] : [`backend ${backend}${upstream === undefined ? "" : ` of ${upstream}`}`]),
  ];
  return parts.length === 0 ? "the whole process" : parts.join(", ");
}

/** Undefined: it has no time to keep. */
function endsInMs({ withinMs, endsAtMs }: DrainFacts, nowMs: number): number | undefined {
  return withinMs === 0 ? undefined : Math.round(endsAtMs - nowMs);
}

function lastOf(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((last, ms) => (last === undefined || (ms !== undefined && ms > last) ? ms : last), undefined);
}

function msSince(thenMs: number, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - thenMs));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
