import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Kind } from "../graph/index.ts";
import { type ClusterChange, type ClusterObject, ObjectStore } from "./index.ts";
import { isSameJson } from "./same-json.ts";

type Parts = Record<string, unknown>;

const object = (name: string, more: Parts = {}): ClusterObject => ({ metadata: { name, namespace: "apps" }, ...more });
const slice = (name: string, service: string | undefined, more: Parts = {}): ClusterObject => ({
  metadata: {
    name,
    namespace: "apps",
    ...(service !== undefined && { labels: { "kubernetes.io/service-name": service } }),
  },
  ...more,
});

test.for<{ name: string; kind: Kind; object: ClusterObject; changes: ClusterChange[] }>([
  { name: "a route means routes", kind: "WebSocketRoute", object: object("chat"), changes: [{ kind: "routes" }] },
  {
    name: "a Service means that Service",
    kind: "Service",
    object: object("chat"),
    changes: [{ kind: "services", service: "apps/chat" }],
  },
  {
    name: "a slice means endpoints of its Service",
    kind: "EndpointSlice",
    object: slice("chat-1", "chat"),
    changes: [{ kind: "endpoints", service: "apps/chat" }],
  },
  { name: "a slice of no Service means nothing", kind: "EndpointSlice", object: slice("x", undefined), changes: [] },
  { name: "a Secret means nothing yet", kind: "Secret", object: object("tls"), changes: [] },
  { name: "a ConfigMap means nothing yet", kind: "ConfigMap", object: object("ca"), changes: [] },
])("$name, when it comes and when it goes", ({ kind, object: given, changes }) => {
  const store = new ObjectStore();
  expect(store.put(kind, given)).toEqual(changes);
  expect(store.list(kind).get(`apps/${given.metadata.name}`)).toBe(given);
  expect(store.remove(kind, `apps/${given.metadata.name}`)).toEqual(changes);
  expect(store.list(kind).size).toBe(0);
});

test("an equal object changes nothing and the old one keeps its identity", () => {
  const store = new ObjectStore();
  const before = object("chat", { spec: { rules: [{ name: "a" }] } });
  store.put("WebSocketRoute", before);
  const same: ClusterObject = {
    spec: { rules: [{ name: "a" }] },
    metadata: { namespace: "apps", name: "chat" },
  } as never;
  expect(store.put("WebSocketRoute", same)).toEqual([]);
  expect(store.list("WebSocketRoute").get("apps/chat")).toBe(before);
});

test("an object without a namespace is in the default one", () => {
  const store = new ObjectStore();
  store.put("Service", { metadata: { name: "chat" } });
  expect([...store.list("Service").keys()]).toEqual(["default/chat"]);
});

test("removing what is not there changes nothing", () => {
  expect(new ObjectStore().remove("Service", "apps/chat")).toEqual([]);
});

describe("slices of a Service", () => {
  test("come in order of name, whatever order they were put in", () => {
    const store = new ObjectStore();
    for (const name of ["c", "a", "b"]) store.put("EndpointSlice", slice(name, "chat"));
    store.put("EndpointSlice", slice("other", "game"));
    const names = (): unknown[] => store.slicesOf("apps/chat").map(({ metadata }) => metadata.name);
    expect(names()).toEqual(["a", "b", "c"]);
    store.remove("EndpointSlice", "apps/b");
    expect(names()).toEqual(["a", "c"]);
  });

  test("a slice that moves to another Service changes both", () => {
    const store = new ObjectStore();
    store.put("EndpointSlice", slice("s", "chat"));
    expect(store.put("EndpointSlice", slice("s", "game"))).toEqual([
      { kind: "endpoints", service: "apps/chat" },
      { kind: "endpoints", service: "apps/game" },
    ]);
    expect(store.slicesOf("apps/chat")).toEqual([]);
    expect(store.slicesOf("apps/game")).toHaveLength(1);
  });

  test("a slice that changes is the new one", () => {
    const store = new ObjectStore();
    store.put("EndpointSlice", slice("s", "chat", { endpoints: [] }));
    const after = slice("s", "chat", { endpoints: [{ addresses: ["127.0.0.1"] }] });
    store.put("EndpointSlice", after);
    expect(store.slicesOf("apps/chat")).toEqual([after]);
  });

  test("the index always says what the list says", () => {
    const action = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      service: fc.constantFrom("x", "y", undefined, null),
    });
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        const store = new ObjectStore();
        for (const { name, service } of actions) {
          if (service === null) store.remove("EndpointSlice", `apps/${name}`);
          else store.put("EndpointSlice", slice(name, service));
          for (const wanted of ["x", "y"]) {
            const listed = [...store.list("EndpointSlice").values()]
              .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === wanted)
              .sort((one, two) => (one.metadata.name < two.metadata.name ? -1 : 1));
            expect(store.slicesOf(`apps/${wanted}`)).toEqual(listed);
          }
        }
      }),
    );
  });
});

describe("sameness", () => {
  test("a copy is the same, and what JSON tells apart is not", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (a, b) => {
        expect(isSameJson(a, structuredClone(a))).toBe(true);
        if (isSameJson(a, b)) expect(a).toEqual(b);
      }),
    );
  });

  test.for<{ name: string; a: unknown; b: unknown }>([
    { name: "a field more", a: { x: 1 }, b: { x: 1, y: undefined } },
    { name: "another field", a: { x: undefined }, b: { y: undefined } },
    { name: "a list and an object", a: [], b: {} },
    { name: "null and an object", a: null, b: {} },
    { name: "a shorter list", a: [1], b: [1, 2] },
    { name: "a number and its text", a: 1, b: "1" },
    { name: "a field that every object inherits", a: { toString: undefined }, b: { x: undefined } },
  ])("$name are not the same", ({ a, b }) => {
    expect(isSameJson(a, b)).toBe(false);
    expect(isSameJson(b, a)).toBe(false);
  });

  test("nesting without end does not exhaust the stack", () => {
    const loop = (): unknown => {
      const self: unknown[] = [];
      self.push(self);
      return self;
    };
    expect(isSameJson(loop(), loop())).toBe(false);
  });
});
