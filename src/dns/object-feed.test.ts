import { expect, test } from "vitest";
import type { ClusterChange, ClusterObject } from "../controller/index.ts";
import { ObjectFeed, type Put, type ResolveHost } from "./index.ts";

const external = (name: string, host: string): Put => ({
  kind: "Service",
  object: {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "apps" },
    spec: { type: "ExternalName", externalName: host, ports: [{ port: 80 }] },
  } as ClusterObject,
});
const slice = (name: string, service: string, address: string): Put => ({
  kind: "EndpointSlice",
  object: {
    metadata: { name, namespace: "apps", labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address] }],
  } as ClusterObject,
});
const route = (name: string): Put => ({
  kind: "WebSocketRoute",
  object: { metadata: { name, namespace: "apps" } },
});
const gone = ({ kind, object }: Put): { kind: Put["kind"]; name: string } => ({
  kind,
  name: `${object.metadata.namespace}/${object.metadata.name}`,
});
const addresses = (feed: ObjectFeed, service: string): readonly string[] =>
  feed.store
    .slicesOf(service)
    .flatMap((one) => (one as unknown as { endpoints: { addresses: string[] }[] }).endpoints)
    .flatMap((endpoint) => endpoint.addresses);
const nothing = { put: [], removed: [] };

interface World {
  readonly feed: ObjectFeed;
  readonly heard: ClusterChange[];
  /** What is wrong now, by Service. */
  readonly troubles: Map<string, string>;
  readonly asked: string[];
  /** Delays of timers that were ever set. */
  readonly timers: number[];
}

function newWorld(resolve: ResolveHost = () => Promise.resolve([{ address: "192.0.2.1" }])): World {
  const [heard, asked, timers]: [ClusterChange[], string[], number[]] = [[], [], []];
  const troubles = new Map<string, string>();
  const feed = new ObjectFeed({
    externalNames: {
      resolve: (host) => {
        asked.push(host);
        return resolve(host);
      },
      after: (delayMs) => {
        timers.push(delayMs);
        return () => {};
      },
      random: () => 0.5,
      onTrouble: (service, message) => {
        if (message === undefined) troubles.delete(service);
        else troubles.set(service, message);
      },
    },
  });
  feed.onChange((change) => heard.push(change));
  return { feed, heard, troubles, asked, timers };
}

test("nothing is told before the start, and of a batch each thing once", async () => {
  const { feed, heard } = newWorld();
  feed.apply({ put: [route("a")], removed: [] });
  await feed.start(new AbortController().signal);
  expect(heard).toEqual([]);
  feed.apply({
    put: [route("b"), route("c"), slice("one", "chat", "192.0.2.1"), slice("two", "chat", "192.0.2.2")],
    removed: [gone(route("a"))],
    besides: [{ kind: "statuses" }, { kind: "statuses" }],
  });
  expect(heard).toEqual([{ kind: "routes" }, { kind: "endpoints", service: "apps/chat" }, { kind: "statuses" }]);
});

test("a listener finds everything of the batch in its place, slices that need no DNS included", async () => {
  const { feed } = newWorld();
  await feed.start(new AbortController().signal);
  const found: unknown[] = [];
  feed.onChange(() => found.push([feed.store.list("WebSocketRoute").size, addresses(feed, "apps/chat")]));
  feed.apply({ put: [external("chat", "192.0.2.7"), route("a")], removed: [] });
  expect(found).toEqual(Array.from({ length: 3 }, () => [1, ["192.0.2.7"]]));
});

test("what was said before again, and what was not there taken out, is no change", async () => {
  const { feed, heard } = newWorld();
  feed.apply({ put: [route("a"), external("chat", "192.0.2.7")], removed: [] });
  await feed.start(new AbortController().signal);
  feed.apply({ put: [route("a"), external("chat", "192.0.2.7")], removed: [gone(route("b"))] });
  feed.apply(nothing);
  expect(heard).toEqual([]);
});

test("a source that takes out every slice it does not know leaves those that DNS gave", async () => {
  const { feed, heard } = newWorld();
  feed.apply({ put: [external("chat", "192.0.2.7"), slice("game-1", "game", "192.0.2.8")], removed: [] });
  await feed.start(new AbortController().signal);
  const all = [...feed.store.list("EndpointSlice").keys()].map((name) => ({ kind: "EndpointSlice" as const, name }));
  feed.apply({ put: [], removed: all });
  expect(addresses(feed, "apps/chat")).toEqual(["192.0.2.7"]);
  expect(addresses(feed, "apps/game")).toEqual([]);
  expect(heard).toEqual([{ kind: "endpoints", service: "apps/game" }]);
});

test("a slice that somebody writes takes the place of the one that DNS gave, and gives it back when it goes", () => {
  const { feed, troubles } = newWorld();
  const written = slice("chat-dns", "chat", "192.0.2.9");
  feed.apply({ put: [external("chat", "192.0.2.7")], removed: [] });
  feed.apply({ put: [written], removed: [] });
  expect(addresses(feed, "apps/chat")).toEqual(["192.0.2.9"]);
  expect(troubles.get("apps/chat")).toMatch(/^EndpointSlice apps\/chat-dns is defined already/);
  feed.apply({ put: [], removed: [gone(written)] });
  expect(addresses(feed, "apps/chat")).toEqual(["192.0.2.7"]);
  expect([...troubles]).toEqual([]);
});

test("a place that was withheld from a Service that is gone by now stays empty", () => {
  const { feed, troubles } = newWorld();
  const written = slice("chat-dns", "chat", "192.0.2.9");
  feed.apply({ put: [written, external("chat", "192.0.2.7")], removed: [] });
  feed.apply({ put: [], removed: [gone(external("chat", "192.0.2.7"))] });
  feed.apply({ put: [], removed: [gone(written)] });
  expect(feed.store.list("EndpointSlice").size).toBe(0);
  expect([...troubles]).toEqual([]);
});

test("the end comes while the first answers are waited for: start resolves, and nothing is told any more", async () => {
  const { feed, heard } = newWorld(() => new Promise(() => {}));
  const abort = new AbortController();
  feed.apply({ put: [external("chat", "chat.internal")], removed: [] });
  const started = feed.start(abort.signal);
  abort.abort();
  await started;
  feed.apply({ put: [route("a")], removed: [] });
  expect(heard).toEqual([]);
});

test("names that are not followed cost no question and no slice, and are told of like any Service", async () => {
  const feed = new ObjectFeed({ externalNames: undefined });
  const heard: ClusterChange[] = [];
  feed.onChange((change) => heard.push(change));
  await feed.start(new AbortController().signal);
  feed.apply({ put: [external("chat", "192.0.2.7"), slice("chat-dns", "chat", "192.0.2.9")], removed: [] });
  expect(addresses(feed, "apps/chat")).toEqual(["192.0.2.9"]);
  expect(heard.map(({ kind }) => kind)).toEqual(["services", "endpoints"]);
  feed.apply({ put: [], removed: [gone(slice("chat-dns", "chat", "192.0.2.9"))] });
  expect(feed.store.list("EndpointSlice").size).toBe(0);
});

test("without external names nothing is asked, however many objects come", () => {
  const { feed, asked, timers } = newWorld();
  feed.apply({ put: [route("a"), slice("one", "chat", "192.0.2.1")], removed: [] });
  expect([asked, timers]).toEqual([[], []]);
});
