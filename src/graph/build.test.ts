import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { upstreamKey } from "../routing/index.ts";
import { build, conditionOf, type Objects, route, service, snapshotOf } from "./graph.fixture.ts";
import {
  buildRouteGraph,
  diffHosts,
  type GraphOptions,
  newGraphCache,
  resolveEndpoints,
  upstreamsOfService,
} from "./index.ts";

describe("references", () => {
  test("what a route names is remembered, existing or not", () => {
    const rules = [
      {
        backendRefs: [
          { name: "chat", port: 80 },
          { name: "chat", port: 81 },
        ],
      },
      {
        backendRefs: [
          { name: "gone", port: 80 },
          { name: "chat", port: 80 },
        ],
      },
    ];
    const graph = build({
      WebSocketRoute: { "apps/chat": route("chat", { rules }) },
      Service: { "apps/chat": service("chat") },
    });
    const [first, second, gone] = [
      upstreamKey("apps", "chat", 80),
      upstreamKey("apps", "chat", 81),
      upstreamKey("apps", "gone", 80),
    ];
    expect(graph.upstreams).toEqual(new Set([first, second, gone]));
    expect(graph.services).toEqual(new Set(["apps/chat", "apps/gone"]));
    expect(upstreamsOfService(graph, "apps/chat")).toEqual([first, second]);
    expect(upstreamsOfService(graph, "apps/gone")).toEqual([gone]);
    expect(upstreamsOfService(graph, "apps/other")).toEqual([]);
  });

  test("the message tells of every reference that leads nowhere, the reason of the first", () => {
    const rules = [
      {
        backendRefs: [
          { name: "chat", port: 81 },
          { name: "gone", port: 80 },
        ],
      },
    ];
    const graph = build({
      WebSocketRoute: { "apps/chat": route("chat", { rules }) },
      Service: { "apps/chat": service("chat", {}) },
    });
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs")).toEqual({
      type: "ResolvedRefs",
      status: "False",
      reason: "PortNotFound",
      message:
        "spec.rules[0].backendRefs[0]: Service apps/chat has no port 81; it has no ports; " +
        "spec.rules[0].backendRefs[1]: Service apps/gone not found",
    });
  });

  test("a Service that cannot be understood is said to be so", () => {
    const graph = build({
      WebSocketRoute: { "apps/chat": route("chat") },
      Service: { "apps/chat": service("chat", { ports: [{ port: "http" }] }) },
    });
    const condition = conditionOf(graph, "apps/chat", "ResolvedRefs");
    expect(condition.reason).toBe("InvalidBackend");
    expect(condition.message).toContain(
      "spec.rules[0].backendRefs[0]: Service apps/chat is invalid (spec.ports[0].port: ",
    );
  });

  test("a UDP port of the same number is not the port that is meant", () => {
    const graph = build({
      WebSocketRoute: { "apps/chat": route("chat") },
      Service: { "apps/chat": service("chat", { ports: [{ port: 80, protocol: "UDP" }] }) },
    });
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs").reason).toBe("PortNotFound");
  });

  test("a Service with very many ports makes a message of bounded length", () => {
    const ports = Array.from({ length: 500 }, (_, i) => ({ name: `port-${i}`, port: 1000 + i }));
    const graph = build({
      WebSocketRoute: { "apps/chat": route("chat") },
      Service: { "apps/chat": service("chat", { ports }) },
    });
    const { reason, message } = conditionOf(graph, "apps/chat", "ResolvedRefs");
    expect(reason).toBe("PortNotFound");
    expect(message).toHaveLength(1024);
    expect(message).toMatch(/has no port 80; it has 1000 \(port-0\), .*…$/);
  });

  test("many mistakes make a message of bounded length", () => {
    const backendRefs = Array.from({ length: 16 }, (_, i) => ({ name: `${"long-".repeat(11)}${i}`, port: 80 }));
    const rules = Array.from({ length: 16 }, () => ({ backendRefs }));
    const { message } = conditionOf(
      build({ WebSocketRoute: { "apps/chat": route("chat", { rules }) } }),
      "apps/chat",
      "ResolvedRefs",
    );
    expect(message.length).toBeLessThanOrEqual(1024);
    expect(message).toMatch(/not found; and 248 more$/);
  });
});

describe("the same objects again", () => {
  test("a route that was not edited keeps its rules and entries, so nothing differs", () => {
    const cache = newGraphCache();
    const objects = { WebSocketRoute: { "apps/a": route("a"), "apps/b": route("b") } };
    const [before, after] = [build(objects, cache), build(objects, cache)];
    expect(diffHosts(before.hosts, after.hosts).size).toBe(0);
    expect(after.routes.get("apps/a")!.rules[0]).toBe(before.routes.get("apps/a")!.rules[0]);
  });

  test("an edit differs on the hosts of its route only", () => {
    const cache = newGraphCache();
    const other = route("other", { hostnames: ["other.example.com"] });
    const before = build({ WebSocketRoute: { "apps/chat": route("chat"), "apps/other": other } }, cache);
    const edited = route("chat", { hostnames: ["new.example.com"] });
    const after = build({ WebSocketRoute: { "apps/chat": edited, "apps/other": other } }, cache);
    expect([...diffHosts(before.hosts, after.hosts)].map(([host, list]) => [host, list?.length])).toEqual([
      ["new.example.com", 1],
      ["chat.example.com", undefined],
    ]);
  });

  test("an edit of labels alone counts as seen and changes nothing that is served", () => {
    const cache = newGraphCache();
    const before = build({ WebSocketRoute: { "apps/chat": route("chat", {}, { generation: 1 }) } }, cache);
    const labelled = route("chat", {}, { generation: 2, labels: { team: "blue" } });
    const after = build({ WebSocketRoute: { "apps/chat": labelled } }, cache);
    expect(diffHosts(before.hosts, after.hosts).size).toBe(0);
    expect(after.routes.get("apps/chat")?.generation).toBe(2);
    const moved = build({ WebSocketRoute: { "apps/chat": route("chat", { hostnames: ["new.example.com"] }) } }, cache);
    expect([...diffHosts(after.hosts, moved.hosts).keys()].sort()).toEqual(["chat.example.com", "new.example.com"]);
  });

  test("a route that went and came back in between is compared with nothing old", () => {
    const cache = newGraphCache();
    build({ WebSocketRoute: { "apps/chat": route("chat") } }, cache);
    build({}, cache);
    expect(cache.last?.routes.size).toBe(0);
  });

  test("a Service that arrives changes a condition and not the table", () => {
    const cache = newGraphCache();
    const chat = route("chat");
    const before = build({ WebSocketRoute: { "apps/chat": chat } }, cache);
    const after = build({ WebSocketRoute: { "apps/chat": chat }, Service: { "apps/chat": service("chat") } }, cache);
    expect(conditionOf(before, "apps/chat", "ResolvedRefs").reason).toBe("BackendNotFound");
    expect(conditionOf(after, "apps/chat", "ResolvedRefs").reason).toBe("ResolvedRefs");
    expect(diffHosts(before.hosts, after.hosts).size).toBe(0);
  });

  test("one object under two names is two routes", () => {
    const shared = route("chat");
    const graph = build({ WebSocketRoute: { "apps/a": shared, "apps/b": shared } });
    expect(graph.hosts.get("chat.example.com")!.map(({ rule }) => rule.id)).toEqual(["apps/a/0", "apps/b/0"]);
  });

  test("the order in which the source lists routes does not matter", () => {
    const [a, b] = [route("a"), route("b", { hostnames: ["b.example.com", "chat.example.com"] })];
    const graph = build({ WebSocketRoute: { "apps/a": a, "apps/b": b } });
    expect(build({ WebSocketRoute: { "apps/b": b, "apps/a": a } })).toEqual(graph);
  });
});

test("a rule without a name goes by its index, one with a name by that", () => {
  const backendRefs = [{ name: "chat", port: 80 }];
  const rules = [{ backendRefs }, { name: "app", backendRefs, matches: [{ path: { value: "/a" } }] }];
  const graph = build({ WebSocketRoute: { "apps/chat": route("chat", { rules }) } });
  expect(graph.routes.get("apps/chat")!.rules.map(({ id }) => id)).toEqual(["apps/chat/0", "apps/chat/app"]);
});

test("header edits that change nothing are none", () => {
  const rules = [{ backendRefs: [{ name: "chat", port: 80 }], requestHeaders: { set: [] }, responseHeaders: {} }];
  const [rule] = build({ WebSocketRoute: { "apps/chat": route("chat", { rules }) } }).routes.get("apps/chat")!.rules;
  expect([rule!.requestHeaders, rule!.responseHeaders]).toEqual([undefined, undefined]);
});

test("the generation is observed of a route that does not parse, too", () => {
  const graph = build({ WebSocketRoute: { "apps/chat": route("chat", { rules: [] }, { generation: 4 }) } });
  expect(graph.routes.get("apps/chat")).toMatchObject({ generation: 4, rules: [] });
});

/** An object that is right but for one field, which holds anything. */
function withOneFieldSpoilt(object: unknown): fc.Arbitrary<unknown> {
  const paths: (string | number)[][] = [];
  const walk = (value: unknown, path: (string | number)[]): void => {
    if (path.length > 0) paths.push(path);
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) walk(child, [...path, key]);
  };
  walk(object, []);
  return fc.tuple(fc.constantFrom(...paths), fc.anything()).map(([path, value]) => {
    const copy = structuredClone(object) as Record<string | number, unknown>;
    let at = copy;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
    at[path.at(-1)!] = value;
    return copy;
  });
}

const FULL_ROUTE = route(
  "chat",
  {
    ingressClassName: "holdfast",
    rules: [
      {
        name: "app",
        matches: [
          {
            path: { type: "Exact", value: "/a" },
            headers: [{ name: "X-A", value: "1" }],
            queryParams: [{ name: "q", value: "1" }],
            subprotocols: ["mqtt"],
          },
        ],
        backendRefs: [
          { name: "chat", port: 80, weight: 2 },
          { name: "chat", namespace: "shared", port: 80 },
        ],
        rewrite: { path: { type: "ReplaceFullPath", value: "/b" }, host: "a.example" },
        requestHeaders: { set: [{ name: "X-B", value: "1" }], add: [{ name: "X-C", value: "1" }], remove: ["X-D"] },
        plainHTTP: "Reject",
        timeouts: { handshake: "1s", responseHeaders: "1s", request: "1s", idle: "1s" },
        lifetime: { max: "1h", jitterPercent: 5 },
        keepalive: { ping: "1s", timeout: "1s", backendPing: "1s" },
        frames: { strictness: "Enforce", maxMessageBytes: 1, messagesPerSecond: 1, onLimit: "Pause" },
        drain: { onBackendRemoval: "Close", within: "1s", perSecond: 1, close: { code: 4000, reason: "a" } },
      },
    ],
  },
  { generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" },
);
const FULL_SERVICE = service("chat", {
  clusterIP: "10.96.0.1",
  ipFamilies: ["IPv4"],
  publishNotReadyAddresses: true,
  ports: [{ name: "ws", port: 80, targetPort: 8010 }],
});
const SHARED_SERVICE = { ...(FULL_SERVICE as object), metadata: { name: "chat", namespace: "shared" } };
const FULL_CLASS = {
  apiVersion: "networking.k8s.io/v1",
  kind: "IngressClass",
  metadata: { name: "holdfast", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
  spec: { controller: "holdfast.dev/ingress" },
};
const FULL_GRANT = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ReferenceGrant",
  metadata: { name: "let-in", namespace: "shared" },
  spec: {
    from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: "apps" }],
    to: [{ group: "", kind: "Service", name: "chat" }],
  },
};
const FULL_SLICE = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "chat-1", namespace: "apps", labels: { "kubernetes.io/service-name": "chat" } },
  addressType: "IPv4",
  ports: [{ name: "ws", port: 8010 }],
  endpoints: [
    {
      addresses: ["10.0.0.1"],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: "Pod", uid: "u" },
      hints: { forZones: [{ name: "a" }] },
    },
  ],
};

const FULL_OBJECTS = {
  WebSocketRoute: { "apps/chat": FULL_ROUTE },
  Service: { "apps/chat": FULL_SERVICE, "shared/chat": SHARED_SERVICE },
  EndpointSlice: { "apps/chat-1": FULL_SLICE },
  IngressClass: { "/holdfast": FULL_CLASS },
  ReferenceGrant: { "shared/let-in": FULL_GRANT },
} satisfies Objects;
/** As in a cluster: every kind is looked at. */
const STRICT: GraphOptions = {
  ingressClassName: undefined,
  classless: "ByIngressClass",
  anyHostNamespaces: new Set(),
  externalNames: "Refuse",
  affinity: "Keyed",
};

test("the full objects of the properties below are right", () => {
  const snapshot = snapshotOf(FULL_OBJECTS);
  const graph = buildRouteGraph(snapshot, STRICT, newGraphCache());
  expect(graph.routes.get("apps/chat")!.conditions.map(({ status }) => status)).toEqual(["True", "True", "True"]);
  expect(resolveEndpoints(snapshot, upstreamKey("apps", "chat", 80), STRICT)).toHaveLength(1);
});

test.for(Object.entries(FULL_OBJECTS).map(([kind, objects]) => ({ kind: kind as keyof typeof FULL_OBJECTS, objects })))(
  "whatever stands in a $kind, nothing throws and a good route beside it is served",
  ({ kind, objects }) => {
    const good = route("good", { ingressClassName: "good", hostnames: ["good.example.com"] });
    const goodClass = { ...FULL_CLASS, metadata: { name: "good" } };
    const [[name, full] = ["", undefined]] = Object.entries(objects);
    fc.assert(
      fc.property(fc.oneof(fc.anything(), withOneFieldSpoilt(full)), (object) => {
        const spoilt: Objects = { ...FULL_OBJECTS, [kind]: { ...objects, [name]: object } };
        const snapshot = snapshotOf({
          ...spoilt,
          WebSocketRoute: { ...spoilt.WebSocketRoute, "apps/good": good },
          IngressClass: { ...spoilt.IngressClass, "/good": goodClass },
        });
        const graph = buildRouteGraph(snapshot, STRICT, newGraphCache());
        for (const upstream of graph.upstreams) resolveEndpoints(snapshot, upstream, STRICT);
        expect(graph.hosts.get("good.example.com")).toHaveLength(1);
        for (const { message } of graph.routes.get("apps/chat")?.conditions ?? [])
          expect(message.length).toBeLessThanOrEqual(1024);
      }),
      { numRuns: 500 },
    );
  },
);

test("a route made anew under its name has the uid of the new object, at the same generation and with the same rules", () => {
  const cache = newGraphCache();
  const withUid = (uid: string): object => {
    const object = route("chat") as { readonly metadata: object };
    return { ...object, metadata: { ...object.metadata, uid, generation: 1 } };
  };
  const nodes = ["first", "second"].map((uid) =>
    build({ WebSocketRoute: { "apps/chat": withUid(uid) } }, cache).routes.get("apps/chat"),
  );
  expect(nodes.map((node) => node?.uid)).toEqual(["first", "second"]);
  expect(nodes[1]?.rules).toBe(nodes[0]?.rules);
});
