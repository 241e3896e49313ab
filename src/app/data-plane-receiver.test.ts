import { MessageChannel } from "node:worker_threads";
import { expect, test, vi } from "vitest";
import { type CompiledEntry, type Endpoint, type RuleId, TableHolder, type UpstreamKey } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { UpstreamRegistry } from "../upstream/index.ts";
import { WISH } from "../upstream/upstream.fixture.ts";
import { DataPlaneReceiver, serveDataPlane } from "./data-plane-receiver.ts";
import type { CensusChange } from "./rule-census.ts";
import { tableParts } from "./table-parts.ts";
import type { ControlMessage, Report } from "./thread-messages.ts";

const UPSTREAM = "apps/chat:80" as UpstreamKey;
const ENDPOINT: Endpoint = {
  address: "127.0.0.1",
  port: 80,
  podUid: undefined,
  ready: true,
  serving: true,
  terminating: false,
};

function entry(route: string, path = "/"): CompiledEntry {
  return {
    match: { path: { type: "PathPrefix", value: path }, headers: [], queryParams: [], subprotocols: [] },
    rule: {
      id: `apps/${route}/0` as RuleId,
      route: `apps/${route}`,
      rule: "0",
      backends: [{ upstream: UPSTREAM, weight: 1 }],
      rewrite: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      policy: QUIET_POLICY,
    },
  };
}

function dataSide() {
  const registry = new UpstreamRegistry({ random: () => 0, now: () => 0 });
  const holder = new TableHolder();
  const commits: CensusChange[] = [];
  const reports: Report[] = [];
  const receiver = new DataPlaneReceiver({
    registry,
    holder,
    onCommit: (change) => commits.push(change),
    onReport: (report) => reports.push(report),
  });
  const tell = (...messages: ControlMessage[]): void => {
    for (const message of messages) receiver.receive(structuredClone(message));
  };
  const routeOf = (host: string, path = "/"): string | undefined =>
    holder.current.match({ host, path, query: "", headers: [], subprotocols: [] })?.rule.route;
  return { registry, holder, commits, reports, receiver, tell, routeOf };
}

function stage(pattern: string, entries: CompiledEntry[] | null, hasMore = false): ControlMessage {
  return { kind: "stage", hosts: [{ pattern, entries, hasMore }] };
}

test("parts become live with the commit and not before", () => {
  const { tell, routeOf, holder } = dataSide();
  tell({ kind: "begin" }, stage("a.example", [entry("chat")]));
  expect(routeOf("a.example")).toBeUndefined();
  tell({ kind: "commit", generation: 1 });
  expect(routeOf("a.example")).toBe("apps/chat");
  expect(holder.current.generation).toBe(1);
});

test("a list that comes in pieces is one list", () => {
  const { tell, routeOf } = dataSide();
  tell(
    { kind: "begin" },
    stage("a.example", [entry("one", "/one")], true),
    stage("a.example", [entry("two", "/two")], true),
    stage("a.example", [entry("three", "/three")]),
    stage("b.example", [entry("other")]),
    { kind: "commit", generation: 1 },
  );
  expect(["/one", "/two", "/three"].map((path) => routeOf("a.example", path))).toEqual([
    "apps/one",
    "apps/two",
    "apps/three",
  ]);
  expect(routeOf("b.example")).toBe("apps/other");
});

test("a list in pieces is counted as one, whether it grows, shrinks or goes", () => {
  const { tell, commits, routeOf } = dataSide();
  const [a, b, c] = ["a", "b", "c"].map((name) => entry(name, `/${name}`)) as [
    CompiledEntry,
    CompiledEntry,
    CompiledEntry,
  ];
  tell({ kind: "begin" }, stage("h", [a], true), stage("h", [b], true), stage("h", [c]));
  tell({ kind: "commit", generation: 1 });
  // The rule of the third piece moves to the first, the second piece is the last.
  tell(stage("h", [c], true), stage("h", [a]), { kind: "commit", generation: 2 });
  expect(["/a", "/b", "/c"].map((path) => routeOf("h", path))).toEqual(["apps/a", undefined, "apps/c"]);
  tell(stage("h", null), { kind: "commit", generation: 3 });
  expect(commits).toEqual([
    { gone: [], arrived: ["apps/a/0", "apps/b/0", "apps/c/0"] },
    { gone: ["apps/b/0"], arrived: [] },
    { gone: ["apps/c/0", "apps/a/0"], arrived: [] },
  ]);
});

test("what a control thread staged and never committed is not served with the next one's table", () => {
  const { tell, routeOf, commits } = dataSide();
  tell({ kind: "begin" }, stage("h", [entry("one", "/one")], true), stage("h", [entry("torn", "/torn")], true));
  tell({ kind: "begin" }, stage("h", [entry("two", "/two")]), { kind: "commit", generation: 1 });
  expect(["/one", "/torn", "/two"].map((path) => routeOf("h", path))).toEqual([undefined, undefined, "apps/two"]);
  expect(commits).toEqual([{ gone: [], arrived: ["apps/two/0"] }]);
});

test("a rule that a control thread staged and never committed is followed by no live tunnel", () => {
  const { tell, holder } = dataSide();
  const followed: RuleId[][] = [];
  holder.onCommit((changed) => followed.push([...changed.keys()]));
  tell({ kind: "begin" }, stage("a.example", [entry("never")]));
  tell({ kind: "begin" }, stage("b.example", [entry("chat")]), { kind: "commit", generation: 1 });
  expect(followed).toEqual([["apps/chat/0"]]);
});

test("a list of 10,000 entries of one host is indexed part by part, each once", () => {
  const indexed: number[] = [];
  class WatchedHolder extends TableHolder {
    override stage(hosts: Parameters<TableHolder["stage"]>[0]): void {
      for (const entries of hosts.values()) indexed.push(entries?.length ?? 0);
      super.stage(hosts);
    }

    override extend(entries: readonly CompiledEntry[]): void {
      indexed.push(entries.length);
      super.extend(entries);
    }
  }
  const registry = new UpstreamRegistry({ random: () => 0, now: () => 0 });
  const holder = new WatchedHolder();
  const receiver = new DataPlaneReceiver({ registry, holder, onCommit: () => {}, onReport: () => {} });
  const list = Array.from({ length: 10_000 }, (_, index) => entry(`r${index}`, `/${index}`));
  for (const hosts of tableParts(new Map([["*", list]]), { maxHosts: 100, maxEntries: 100 })) {
    receiver.receive({ kind: "stage", hosts });
  }
  expect(indexed).toEqual(Array.from({ length: 100 }, () => 100));
});

test("it tells which rules went and came with each commit", () => {
  const { tell, commits } = dataSide();
  tell({ kind: "begin" }, stage("a", [entry("x")]), stage("b", [entry("x"), entry("y")]), {
    kind: "commit",
    generation: 1,
  });
  tell(stage("a", null), { kind: "commit", generation: 2 });
  tell(stage("b", [entry("y")]), { kind: "commit", generation: 3 });
  expect(commits).toEqual([
    { gone: [], arrived: ["apps/x/0", "apps/y/0"] },
    { gone: [], arrived: [] },
    { gone: ["apps/x/0"], arrived: [] },
  ]);
});

test("after a new control thread's first commit only what it never named is gone", () => {
  const { tell, routeOf, registry, holder, commits } = dataSide();
  const old = "apps/old:80" as UpstreamKey;
  tell(
    { kind: "begin" },
    {
      kind: "endpoints",
      updates: [
        [UPSTREAM, [ENDPOINT]],
        [old, [ENDPOINT]],
      ],
    },
  );
  tell(stage("kept", [entry("kept")]), stage("old", [entry("old")]), { kind: "commit", generation: 5 });
  // The thread dies in the middle of a delta.
  tell(stage("half", [entry("half")]), stage("torn", [entry("torn")], true));

  tell({ kind: "begin" });
  expect(routeOf("old")).toBe("apps/old");
  tell({ kind: "endpoints", updates: [[UPSTREAM, [ENDPOINT]]] }, stage("kept", [entry("kept")]));
  expect([...registry.keys()]).toEqual([UPSTREAM, old]);
  tell({ kind: "commit", generation: 1 });

  expect(["kept", "old", "half", "torn"].map((host) => routeOf(host))).toEqual([
    "apps/kept",
    undefined,
    undefined,
    undefined,
  ]);
  expect([...registry.keys()]).toEqual([UPSTREAM]);
  expect(holder.current.generation).toBe(6);
  expect(commits.at(-1)).toEqual({ gone: ["apps/old/0"], arrived: [] });
});

test("a tunnel on an upstream that a new control thread never names keeps its lease", () => {
  const { tell, registry } = dataSide();
  tell({ kind: "begin" }, { kind: "endpoints", updates: [[UPSTREAM, [ENDPOINT]]] }, { kind: "commit", generation: 1 });
  const lease = registry.acquire(entry("x").rule, WISH)!;
  lease.opened();
  tell({ kind: "begin" }, { kind: "commit", generation: 1 });
  expect([...registry.stats()]).toMatchObject([{ upstream: UPSTREAM, ready: 0, draining: 1, pending: 0, tunnels: 1 }]);
  lease.release("closed");
  expect([...registry.keys()]).toEqual([]);
});

test("each message is acknowledged once, in a later phase of the event loop", async () => {
  const { receiver, reports } = dataSide();
  const channel = new MessageChannel();
  serveDataPlane(channel.port1, receiver);
  let acks = 0;
  channel.port2.on("message", () => acks++);
  channel.port2.postMessage({ kind: "begin" });
  channel.port2.postMessage({ kind: "reports", reports: [{ kind: "problems", count: 3 }] });
  await vi.waitFor(() => expect(acks).toBe(2));
  expect(reports).toEqual([{ kind: "problems", count: 3 }]);
  channel.port1.close();
});
