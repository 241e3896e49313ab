import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { DrainOrders, TunnelFilter } from "../admin/index.ts";
import { DrainWorld, RULE, type WorldTunnel } from "../drain/drain.fixture.ts";
import { OrderedDrains, RuleDrains } from "../drain/index.ts";
import type { LiveContext } from "../proxy/index.ts";
import type { Tunnel } from "../relay/index.ts";
import {
  buildTable,
  type CompiledEntry,
  type CompiledMatch,
  type CompiledRule,
  type Endpoint,
  type RuleId,
  type UpstreamKey,
} from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { UpstreamRegistry } from "../upstream/index.ts";
import { WISH } from "../upstream/upstream.fixture.ts";
import { ThreadOperations } from "./operations.ts";

const CHAT = "apps/chat:80" as UpstreamKey;
const GAME = "apps/game:80" as UpstreamKey;
const ALL = { after: undefined, limit: 1_000 };
const ORDERS: DrainOrders = { withinMs: 10_000, perSecond: 0, closeCode: 4001, closeReason: "moved" };
const MATCH: CompiledMatch = {
  path: { type: "PathPrefix", value: "/" },
  headers: [],
  queryParams: [],
  subprotocols: [],
};

const endpoint = (address: string, fields: Partial<Endpoint> = {}): Endpoint => ({
  address,
  port: 80,
  podUid: undefined,
  ready: true,
  serving: true,
  terminating: false,
  ...fields,
});

const rule = (
  id: RuleId,
  backends: readonly UpstreamKey[] = [CHAT],
  fields: Partial<CompiledRule> = {},
): CompiledRule => {
  const [namespace, route, name = ""] = id.split("/");
  return {
    id,
    route: `${namespace}/${route}`,
    rule: name,
    backends: backends.map((upstream) => ({ upstream, weight: 1 })),
    rewrite: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    policy: QUIET_POLICY,
    ...fields,
  };
};

/** A data thread without sockets: the rooms that operators look at, and a clock by hand. */
class Stage {
  readonly world = new DrainWorld();
  readonly registry = new UpstreamRegistry({ random: () => 0, now: this.world.now });
  readonly rules = new Map<RuleId, CompiledRule>();
  readonly #around = {
    wheel: this.world.wheel,
    observer: this.world.observer,
    now: this.world.now,
    random: () => 0.5,
  };
  readonly ordered = new OrderedDrains({ ...this.#around, tunnels: this.world.tunnels, backends: this.registry });
  readonly byRule = new RuleDrains({ ...this.#around, tunnels: this.world.tunnels, rules: this.rules });
  table = buildTable(0, new Map());
  readonly operations: ThreadOperations;

  constructor() {
    const { world, ordered, byRule, registry } = this;
    this.registry.onDeparture(byRule.departure);
    world.onEnded = (tunnel) => {
      byRule.ended(tunnel);
      ordered.ended(tunnel);
    };
    const tables = { current: this.table };
    this.setTable = (hosts) => (tables.current = buildTable(1, new Map(Object.entries(hosts))));
    const tunnels = world.tunnels as unknown as Iterable<Tunnel<LiveContext>>;
    const rooms = { tunnels, backends: registry, tables, ordered, byRule };
    this.operations = new ThreadOperations({ replica: "holdfast-1", ...rooms, now: world.now, nextTurn });
  }

  readonly setTable: (hosts: Record<string, readonly CompiledEntry[]>) => unknown;

  /** A tunnel that opens now, on a backend of the registry. */
  open(id: string, fields: { rule?: RuleId; client?: string } = {}): WorldTunnel {
    const followed = rule(fields.rule ?? RULE);
    const lease = this.registry.acquire(followed, WISH)!;
    lease.opened();
    const { backend } = lease;
    const tunnel = this.world.open({ name: id, backend, ruleId: followed.id, lastActiveAtMs: this.world.nowMs });
    const { route, rule: ruleName } = followed;
    const names = { id, route, rule: ruleName, upstream: backend.upstream, backend: backend.target };
    Object.assign(tunnel.context, { ...names, clientAddress: fields.client ?? "10.9.0.1" });
    const stats = { bytesUp: 1, bytesDown: 2, messagesUp: 3, messagesDown: 4 };
    return Object.assign(tunnel, { openedAtMs: this.world.nowMs, stats });
  }

  ids(filter: TunnelFilter = {}): readonly string[] {
    return this.operations.tunnels(filter, ALL).items.map(({ id }) => id);
  }
}

test("a tunnel is shown with its names, counts, age and idle time", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  stage.world.pass(1_000);
  const tunnel = stage.open("a");
  stage.world.pass(60_000);
  Object.assign(tunnel, { lastActiveAtMs: 51_000 });
  expect(stage.operations.tunnels({}, ALL)).toEqual({
    items: [
      {
        id: "a",
        route: "apps/chat",
        rule: "0",
        upstream: "apps/chat:80",
        backend: "10.0.0.1:80",
        client: "10.9.0.1",
        ageMs: 60_000,
        idleMs: 10_000,
        bytesUp: 1,
        bytesDown: 2,
        messagesUp: 3,
        messagesDown: 4,
      },
    ],
    total: 1,
    next: undefined,
  });
});

test("tunnels are picked by age and idle time at the moment of the question, the oldest first", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  const old = stage.open("old");
  stage.world.pass(5_000);
  stage.open("young", { client: "192.0.2.7" });
  stage.world.pass(5_000);
  Object.assign(old, { lastActiveAtMs: stage.world.nowMs });
  expect(stage.ids()).toEqual(["old", "young"]);
  expect(stage.ids({ minAgeMs: 5_001 })).toEqual(["old"]);
  expect(stage.ids({ minIdleMs: 5_000 })).toEqual(["young"]);
  expect(stage.ids({ client: "192.0.2.0/24" })).toEqual(["young"]);
});

test("pages of tunnels go on where the last one ended, whoever has gone", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  const opened = ["a", "b", "c", "d", "e"].map((id) => stage.open(id));
  const first = stage.operations.tunnels({}, { after: undefined, limit: 2 });
  expect(first.items.map(({ id }) => id)).toEqual(["a", "b"]);
  stage.world.end(opened[1]!);
  const second = stage.operations.tunnels({}, { after: first.next, limit: 2 });
  expect(second.items.map(({ id }) => id)).toEqual(["c", "d"]);
  expect(stage.operations.tunnels({}, { after: second.next, limit: 2 })).toMatchObject({ total: 4, next: undefined });
});

test("backends are shown as the source has them, and cordoned and ejected ones as such", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [
    endpoint("10.0.0.1"),
    endpoint("10.0.0.2", { podUid: "u-2" }),
    endpoint("10.0.0.3", { ready: false }),
    endpoint("10.0.0.4", { terminating: true }),
  ]);
  stage.registry.setEndpoints(GAME, [endpoint("10.0.1.1")]);
  stage.open("a");
  const game = { id: "apps/game/0" as RuleId, backends: [{ upstream: GAME, weight: 1 }], policy: QUIET_POLICY };
  stage.registry.acquire(game, WISH)?.release("dialFailed");
  expect(stage.operations.backends({ upstream: GAME }, ALL).items).toMatchObject([
    { state: "ejected", ejection: { sign: "DialFailure", endsInMs: 1_000 } },
  ]);
  stage.world.pass(3_000);
  stage.operations.drainBackend("10.0.0.2:80", ORDERS);
  const { items, total } = stage.operations.backends({ upstream: CHAT }, ALL);
  expect(items.map(({ backend, state }) => `${backend} ${state}`)).toEqual([
    "10.0.0.1:80 accepting",
    "10.0.0.2:80 cordoned",
    "10.0.0.3:80 unready",
    "10.0.0.4:80 terminating",
  ]);
  expect(items[0]).toMatchObject({ upstream: CHAT, tunnels: 1, pending: 0, stateMs: 3_000, drain: undefined });
  expect(items[1]).toMatchObject({ podUid: "u-2", drain: { left: 0, closed: 0 } });
  expect(total).toBe(4);
  expect(stage.operations.backends({ upstream: undefined }, { after: undefined, limit: 2 })).toMatchObject({
    total: 5,
  });
});

test("one backend's drains are counted together, those of another upstream at its address are not", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  for (const id of ["a", "b"]) stage.open(id);
  stage.open("c", { rule: "apps/chat/1" as RuleId });
  stage.registry.setEndpoints(GAME, [endpoint("10.0.0.1")]);
  const drain = { ...QUIET_POLICY.drain, onBackendRemoval: "Close" as const, withinMs: 10_000 };
  for (const id of [RULE, "apps/chat/1" as RuleId]) {
    stage.rules.set(id, rule(id, [CHAT], { policy: { ...QUIET_POLICY, drain } }));
  }
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1", { terminating: true })]);
  const [leaving] = stage.operations.backends({ upstream: CHAT }, ALL).items;
  expect(leaving).toMatchObject({ state: "terminating", drain: { left: 3, closed: 0, endsInMs: 10_000 } });
  expect(stage.operations.backends({ upstream: GAME }, ALL).items[0]?.drain).toBeUndefined();
  const drains = stage.operations.drains({ id: undefined }, ALL).items;
  expect(drains.map(({ id, reason, target }) => `${id}: ${reason}, ${target}`)).toEqual([
    expect.stringMatching(/^auto\/\d+: terminating, rule apps\/chat\/0, backend 10.0.0.1:80 of apps\/chat:80$/),
    expect.stringMatching(/^auto\/\d+: terminating, rule apps\/chat\/1, backend 10.0.0.1:80 of apps\/chat:80$/),
  ]);
  expect(stage.operations.stopDrain(drains[0]!.id)).toBeUndefined();
});

test("rules are shown with all their hosts and matches, each once, and with their tunnels", async () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  const chat = rule(RULE, [CHAT, GAME]);
  const picky: CompiledMatch = {
    path: { type: "Exact", value: "/x" },
    headers: [{ name: "x-team", value: "blue" }],
    queryParams: [{ name: "v", value: "2" }],
    subprotocols: ["a", "b"],
  };
  const entries = [
    { match: MATCH, rule: chat },
    { match: picky, rule: chat },
  ];
  stage.setTable({
    "b.example": entries,
    "*.a.example": entries,
    "*": [{ match: MATCH, rule: rule("apps/z/0" as RuleId) }],
  });
  stage.open("a");
  stage.open("b");
  const { items, total } = await stage.operations.rules({ route: undefined }, ALL);
  expect(total).toBe(2);
  expect({ ...items[0], matches: [...(items[0]?.matches ?? [])].toSorted() }).toEqual({
    route: "apps/chat",
    rule: "0",
    hosts: ["*.a.example", "b.example"],
    matches: ["Exact /x, header x-team=blue, query v=2, subprotocol a or b", "PathPrefix /"],
    backends: [
      { upstream: CHAT, weight: 1 },
      { upstream: GAME, weight: 1 },
    ],
    tunnels: 2,
  });
  expect(await stage.operations.rules({ route: "apps/z" }, ALL)).toMatchObject({ total: 1, items: [{ tunnels: 0 }] });
});

test("a large table is walked in turns, and the pages of its rules are all of them, once", async () => {
  const stage = new Stage();
  const names = Array.from({ length: 500 }, (_, index) => `apps/r${index}/0` as RuleId);
  stage.setTable(
    Object.fromEntries(names.map((id, index) => [`h${index}.example`, [{ match: MATCH, rule: rule(id) }]])),
  );
  let turns = 0;
  const slow = new ThreadOperations({
    replica: "holdfast-1",
    tunnels: [],
    backends: stage.registry,
    tables: {
      current: buildTable(1, new Map(names.map((id) => [`${id}.example`, [{ match: MATCH, rule: rule(id) }]]))),
    },
    ordered: stage.ordered,
    byRule: stage.byRule,
    // Each look at this clock is a turn's worth later.
    now: (): number => (stage.world.nowMs += 5),
    nextTurn: () => Promise.resolve((turns += 1)),
  });
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await slow.rules({ route: undefined }, { after, limit: 120 });
    seen.push(...page.items.map(({ route }) => route));
    after = page.next;
  } while (after !== undefined);
  expect(seen).toEqual(names.map((id) => id.slice(0, -2)).toSorted());
  expect(turns).toBeGreaterThan(5 * 7);
});

test("close tells those that the filter picks, with the words that were ordered, and nobody else", async () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  stage.open("a", { client: "192.0.2.1" });
  stage.open("b");
  const begun = stage.operations.close({ client: "192.0.2.0/24" }, ORDERS);
  expect(begun).toMatchObject({
    id: "close/1",
    reason: "operator",
    target: "client 192.0.2.0/24",
    state: "running",
    waiting: 1,
    endsInMs: 10_000,
  });
  const over = stage.operations.whenOver("close/1");
  stage.world.pass(11_000);
  expect(stage.world.closed).toMatchObject([{ name: "a", cause: "admin", code: 4001, reason: "moved" }]);
  expect(await over).toMatchObject({ id: "close/1", state: "done", waiting: 0, gone: 1 });
  expect(stage.ids()).toEqual(["b"]);
  expect(await stage.operations.whenOver("close/1")).toBeUndefined();
});

test("what has no time to keep says of none", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  for (const id of ["a", "b", "c"]) stage.open(id);
  const begun = stage.operations.close({}, { ...ORDERS, withinMs: 0, perSecond: 1 });
  expect(begun).toMatchObject({ state: "running", endsInMs: undefined });
  stage.world.pass(4_000);
  expect(stage.world.tunnels.size).toBe(0);
});

test("a closing of nobody is over at once", () => {
  const stage = new Stage();
  expect(stage.operations.close({ id: "nobody" }, ORDERS)).toMatchObject({ state: "done", waiting: 0, gone: 0 });
});

test("the process is drained, listed as such, and stopped; its own end is not an operator's to stop", () => {
  const stage = new Stage();
  stage.registry.setEndpoints(CHAT, [endpoint("10.0.0.1")]);
  for (const id of ["a", "b"]) stage.open(id);
  const begun = stage.operations.drainProcess({ ...ORDERS, graceMs: 1_000 });
  expect(begun).toMatchObject({ id: "process", target: "the whole process", state: "running", waiting: 2, ageMs: 0 });
  stage.world.pass(2_000);
  expect(stage.ordered.isRefusing).toBe(true);
  expect(stage.operations.drains({ id: "process" }, ALL).items).toMatchObject([{ id: "process", ageMs: 2_000 }]);
  expect(stage.operations.stopDrain("process")).toMatchObject({ id: "process", state: "stopped" });
  expect(stage.ordered.isRefusing).toBe(false);
  expect(stage.operations.stopDrain("process")).toBeUndefined();

  stage.ordered.shutDown(10_000);
  expect(stage.operations.drains({ id: undefined }, ALL).items).toMatchObject([{ id: "shutdown" }]);
  expect(stage.operations.stopDrain("shutdown")).toBeUndefined();
  stage.world.pass(11_000);
  expect(stage.world.tunnels.size).toBe(0);
});
