import { MessageChannel } from "node:worker_threads";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { CompiledEntry, Endpoint, RuleId, UpstreamKey } from "../routing/index.ts";
import { PortDataPlane } from "./port-data-plane.ts";
import { ReportQueue } from "./report-queue.ts";
import type { ControlMessage } from "./thread-messages.ts";

const key = (name: string): UpstreamKey => `apps/${name}:80` as UpstreamKey;

function endpoints(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => ({
    address: `10.0.${i >> 8}.${i & 255}`,
    port: 80,
    podUid: undefined,
    ready: true,
    serving: true,
    terminating: false,
  }));
}

function entry(id: string): CompiledEntry {
  return { match: {}, rule: { id: `apps/${id}/0` as RuleId } } as CompiledEntry;
}

/** The data thread's end in the hands of the test: it sees each message and acknowledges when told. */
let channel: MessageChannel;
let seen: ControlMessage[];
beforeEach(() => {
  channel = new MessageChannel();
  seen = [];
  channel.port1.on("message", (message: ControlMessage) => seen.push(message));
});
afterEach(() => {
  channel.port1.close();
});

function plane(): { data: PortDataPlane; reports: ReportQueue } {
  const reports = new ReportQueue({ level: "info" });
  const limits = { maxEndpoints: 10, maxUpstreams: 3, maxHosts: 2, maxEntries: 4, maxReports: 2 };
  return { data: new PortDataPlane(channel.port2, reports, limits), reports };
}

/** Acknowledges the message in hand and waits for the next one. */
async function next(): Promise<ControlMessage> {
  const count = seen.length;
  channel.port1.postMessage({ kind: "ack" });
  await vi.waitFor(() => expect(seen.length).toBe(count + 1));
  return seen[count]!;
}

async function begun(): Promise<void> {
  await vi.waitFor(() => expect(seen).toEqual([{ kind: "begin" }]));
}

/** A turn there and back on the same channel: whatever was sent before has arrived. */
async function settled(): Promise<void> {
  const probe = new MessageChannel();
  const arrived = new Promise((resolve) => probe.port1.once("message", resolve));
  probe.port2.postMessage(0);
  await arrived;
  probe.port1.close();
  await new Promise((resolve) => setImmediate(resolve));
}

test("the first thing said is that a new control thread begins", async () => {
  plane();
  await begun();
});

test("one message is under way at a time", async () => {
  const { data } = plane();
  await begun();
  for (let i = 0; i < 10; i++) data.setEndpoints(key(`u${i}`), endpoints(1));
  await settled();
  expect(seen).toHaveLength(1);
  await next();
  await settled();
  expect(seen).toHaveLength(2);
});

test("endpoints are coalesced by upstream and batched within the limits", async () => {
  const { data } = plane();
  await begun();
  data.setEndpoints(key("a"), endpoints(9));
  data.setEndpoints(key("a"), endpoints(4));
  data.setEndpoints(key("b"), endpoints(6));
  data.setEndpoints(key("c"), endpoints(25));
  for (const name of ["d", "e", "f", "g"]) data.setEndpoints(key(name), []);
  const sizes: (readonly [string, number | undefined])[][] = [];
  while (sizes.flat().length < 7) {
    const message = await next();
    if (message.kind === "endpoints") sizes.push(message.updates.map(([upstream, list]) => [upstream, list?.length]));
  }
  expect(sizes).toEqual([
    [
      [key("a"), 4],
      [key("b"), 6],
    ],
    [[key("c"), 25]],
    [
      [key("d"), 0],
      [key("e"), 0],
      [key("f"), 0],
    ],
    [[key("g"), 0]],
  ]);
});

test("a table comes in parts, and applyTable resolves when its commit is acknowledged", async () => {
  const { data } = plane();
  await begun();
  const hosts = new Map([
    ["a", [entry("a")]],
    ["b", null],
    ["c", Array.from({ length: 6 }, (_, i) => entry(`c${i}`))],
  ]);
  let isLive = false;
  const applied = data.applyTable({ generation: 7, hosts }).then(() => (isLive = true));
  const parts: (readonly [string, number | undefined, boolean])[][] = [];
  let message = await next();
  while (message.kind === "stage") {
    parts.push(message.hosts.map((host) => [host.pattern, host.entries?.length, host.hasMore]));
    message = await next();
  }
  expect(parts).toEqual([
    [
      ["a", 1, false],
      ["b", undefined, false],
    ],
    [["c", 4, true]],
    [["c", 2, false]],
  ]);
  expect(message).toEqual({ kind: "commit", generation: 7 });
  await settled();
  expect(isLive).toBe(false);
  channel.port1.postMessage({ kind: "ack" });
  await applied;
});

test("endpoints given before a table and while it is under way go before what is left of it", async () => {
  const { data } = plane();
  await begun();
  data.setEndpoints(key("a"), endpoints(1));
  const hosts = new Map(["a", "b", "c"].map((name) => [name, [entry(name)]]));
  void data.applyTable({ generation: 1, hosts });
  expect((await next()).kind).toBe("endpoints");
  expect((await next()).kind).toBe("stage");
  data.setEndpoints(key("b"), endpoints(1));
  expect((await next()).kind).toBe("endpoints");
  expect((await next()).kind).toBe("stage");
  expect((await next()).kind).toBe("commit");
});

test("an upstream that no rule names any more goes only after the table given before", async () => {
  const { data } = plane();
  await begun();
  void data.applyTable({ generation: 1, hosts: new Map([["a", [entry("a")]]]) });
  data.setEndpoints(key("old"), null);
  expect((await next()).kind).toBe("stage");
  expect((await next()).kind).toBe("commit");
  expect(await next()).toEqual({ kind: "endpoints", updates: [[key("old"), null]] });
});

test("an upstream that is named again before its end was sent keeps its endpoints", async () => {
  const { data } = plane();
  await begun();
  void data.applyTable({ generation: 1, hosts: new Map() });
  data.setEndpoints(key("a"), null);
  data.setEndpoints(key("a"), endpoints(2));
  expect(await next()).toMatchObject({ kind: "endpoints", updates: [[key("a"), { length: 2 }]] });
  expect((await next()).kind).toBe("commit");
  channel.port1.postMessage({ kind: "ack" });
  await settled();
  expect(seen.at(-1)?.kind).toBe("commit");
});

test("log records cross in batches, below the level they do not cross at all", async () => {
  const { reports } = plane();
  await begun();
  reports.debug({}, "not sent");
  for (const i of [1, 2, 3]) reports.warn({ i, cannotBeCloned: () => i }, "sent");
  expect(await next()).toEqual({
    kind: "reports",
    reports: [1, 2].map((i) => ({ kind: "log", level: "warn", fields: { i }, message: "sent" })),
  });
  expect(await next()).toMatchObject({ kind: "reports", reports: [{ fields: { i: 3 } }] });
});

test("log records beyond the bound are dropped and counted", () => {
  const queue = new ReportQueue({ level: "info" });
  for (let i = 0; i < 1_500; i++) queue.info({ i }, "flood");
  expect(queue.take(10).at(-1)).toEqual({ kind: "dropped", count: 500 });
  let left = 0;
  while (!queue.isEmpty) left += queue.take(100).length;
  expect(left).toBe(990);
});

test("a first build without any route commits an empty table, a first build with a table adds nothing", async () => {
  const { data } = plane();
  await begun();
  data.firstBuilt();
  expect(await next()).toEqual({ kind: "commit", generation: 0 });
  channel.port1.postMessage({ kind: "ack" });
  data.firstBuilt();
  await settled();
  expect(seen).toHaveLength(2);
});
