import { describe, expect, test } from "vitest";
import { build, conditionOf, type Objects, route, service } from "./graph.fixture.ts";
import { diffHosts, newGraphCache, type RouteGraph } from "./index.ts";

const FROM = { group: "holdfast.dev", kind: "WebSocketRoute", namespace: "apps" };
const SERVICES = { group: "", kind: "Service" };

function grant(parts: { from?: unknown; to?: unknown; namespace?: string; apiVersion?: string } = {}): unknown {
  const { from = [FROM], to = [SERVICES], namespace = "shared", apiVersion = "v1beta1" } = parts;
  return {
    apiVersion: `gateway.networking.k8s.io/${apiVersion}`,
    kind: "ReferenceGrant",
    metadata: { name: "let-in", namespace },
    spec: { from, to },
  };
}

const SHARED = { name: "chat", namespace: "shared", port: 80 };
const abroad = (...backendRefs: readonly object[]) =>
  route("chat", { rules: [{ name: "main", backendRefs: backendRefs.length === 0 ? [SHARED] : backendRefs }] });
const sharedService = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "chat", namespace: "shared" },
  spec: { ports: [{ port: 80 }] },
};
const world = (more: Objects): Objects => ({
  WebSocketRoute: { "apps/chat": abroad() },
  Service: { "shared/chat": sharedService },
  ...more,
});
const backendsOf = (graph: RouteGraph, rule = 0) =>
  graph.routes.get("apps/chat")!.rules[rule]!.backends.map(({ upstream, weight }) => `${upstream} ${weight}`);

describe("a backend in another namespace", () => {
  test.for<{ name: string; grants: readonly unknown[]; isAllowed: boolean }>([
    { name: "needs a grant", grants: [], isAllowed: false },
    { name: "is allowed by a grant to every Service", grants: [grant()], isAllowed: true },
    { name: "is allowed by a grant of version v1", grants: [grant({ apiVersion: "v1" })], isAllowed: true },
    {
      name: "is allowed by a grant to that Service",
      grants: [grant({ to: [{ ...SERVICES, name: "chat" }] })],
      isAllowed: true,
    },
    {
      name: "is not allowed by a grant to another Service",
      grants: [grant({ to: [{ ...SERVICES, name: "cha" }] })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant to something else of that name",
      grants: [grant({ to: [{ group: "", kind: "Secret", name: "chat" }] })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant to Services of another group",
      grants: [grant({ to: [{ ...SERVICES, group: "serving.knative.dev" }] })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant to another namespace's routes",
      grants: [grant({ from: [{ ...FROM, namespace: "app" }] })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant to routes of another kind",
      grants: [grant({ from: [{ ...FROM, kind: "TCPRoute" }] })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant to routes of that kind and another group",
      grants: [grant({ from: [{ ...FROM, group: "gateway.networking.k8s.io" }] })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant that stands in the route's own namespace",
      grants: [grant({ namespace: "apps" })],
      isAllowed: false,
    },
    {
      name: "is not allowed by a grant that stands in a third namespace",
      grants: [grant({ namespace: "other" })],
      isAllowed: false,
    },
    {
      name: "is allowed by any of several entries and grants",
      grants: [
        grant({ from: [{ ...FROM, namespace: "other" }] }),
        grant({
          from: [{ ...FROM, namespace: "other" }, FROM],
          to: [{ group: "", kind: "Secret" }, { ...SERVICES, name: "x" }, SERVICES],
        }),
      ],
      isAllowed: true,
    },
    {
      name: "is not allowed by a grant that cannot be understood",
      grants: [grant({ from: "everybody" }), null, 7],
      isAllowed: false,
    },
  ])("$name", ({ grants, isAllowed }) => {
    const graph = build(world({ ReferenceGrant: Object.fromEntries(grants.entries()) }));
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs").reason).toBe(isAllowed ? "ResolvedRefs" : "RefNotPermitted");
    expect(backendsOf(graph)).toEqual(isAllowed ? ["shared/chat:80 1"] : []);
    expect(graph.upstreams.size).toBe(isAllowed ? 1 : 0);
    expect(graph.routes.get("apps/chat")!.upstreams).toEqual(isAllowed ? ["shared/chat:80"] : []);
  });

  test("needs no grant when the namespace is the route's own", () => {
    const own = { "apps/chat": abroad({ name: "chat", namespace: "apps", port: 80 }) };
    const graph = build({ WebSocketRoute: own, Service: { "apps/chat": service("chat") } });
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs").status).toBe("True");
    expect(backendsOf(graph)).toEqual(["apps/chat:80 1"]);
  });

  test("is refused with the field and the grant that is needed, and no word of whether it exists", () => {
    const { message } = conditionOf(build(world({})), "apps/chat", "ResolvedRefs");
    expect(message).toBe(
      "spec.rules[0].backendRefs[0].namespace: needs a ReferenceGrant in namespace shared from WebSocketRoute in " +
        "namespace apps to Service chat; until then nothing is sent there",
    );
    expect(conditionOf(build(world({ Service: {} })), "apps/chat", "ResolvedRefs").message).toBe(message);
  });

  test("that is refused leaves its weight to the others, and its rule in the table", () => {
    const refs = [
      { name: "chat", port: 80, weight: 3 },
      { ...SHARED, weight: 5 },
      { name: "more", port: 80 },
    ];
    const graph = build({
      WebSocketRoute: {
        "apps/chat": abroad(...refs),
        "shared/own": route("own", {}, { namespace: "shared" }),
      },
    });
    expect(backendsOf(graph)).toEqual(["apps/chat:80 3", "apps/more:80 1"]);
    const names = graph.hosts.get("chat.example.com")!.map(({ rule }) => rule.id);
    expect(names).toEqual(["apps/chat/main", "shared/own/0"]);
    // Its own namespace's route uses it all the same.
    expect([...graph.upstreams].sort()).toEqual(["apps/chat:80", "apps/more:80", "shared/chat:80"]);
    expect(conditionOf(graph, "shared/own", "ResolvedRefs").reason).toBe("BackendNotFound");
  });
});

describe("a grant that comes and goes", () => {
  const rules = [
    { name: "home", backendRefs: [{ name: "chat", port: 80 }] },
    { name: "away", matches: [{ path: { value: "/away" } }], backendRefs: [{ name: "chat", port: 80 }, SHARED] },
  ];
  const routes = {
    "apps/chat": route("chat", { rules }),
    "apps/other": route("other", { hostnames: ["other.example.com"] }),
  };

  test("changes the rules that it concerns and no others", () => {
    const cache = newGraphCache();
    const at = (grants: Record<string, unknown>) => build({ WebSocketRoute: routes, ReferenceGrant: grants }, cache);
    const [without, still] = [at({}), at({})];
    expect(diffHosts(without.hosts, still.hosts).size).toBe(0);
    const granted = at({ "shared/let-in": grant() });
    expect([...diffHosts(still.hosts, granted.hosts).keys()]).toEqual(["chat.example.com"]);
    const entries = (graph: RouteGraph) => graph.hosts.get("chat.example.com")!;
    expect(entries(granted)[0]).not.toBe(entries(still)[0]);
    expect(entries(granted)[1]).toBe(entries(still)[1]);
    expect(granted.routes.get("apps/chat")!.rules[0]).toBe(still.routes.get("apps/chat")!.rules[0]);
    expect(backendsOf(granted, 1)).toEqual(["apps/chat:80 1", "shared/chat:80 1"]);
    const gone = at({});
    expect(backendsOf(gone, 1)).toEqual(["apps/chat:80 1"]);
    expect(diffHosts(without.hosts, gone.hosts).size).toBe(0);
  });

  test("while another one goes changes what is withheld", () => {
    const cache = newGraphCache();
    const other = { ...SHARED, namespace: "other" };
    const chat = { "apps/chat": route("chat", { rules: [{ backendRefs: [SHARED, other] }] }) };
    const at = (namespace: string) =>
      build({ WebSocketRoute: chat, ReferenceGrant: { [`${namespace}/let-in`]: grant({ namespace }) } }, cache);
    expect(backendsOf(at("shared"))).toEqual(["shared/chat:80 1"]);
    expect(backendsOf(at("other"))).toEqual(["other/chat:80 1"]);
    expect(backendsOf(at("shared"))).toEqual(["shared/chat:80 1"]);
  });

  test("for something else changes nothing", () => {
    const cache = newGraphCache();
    const before = build({ WebSocketRoute: routes }, cache);
    const other = grant({ to: [{ ...SERVICES, name: "other" }] });
    const after = build({ WebSocketRoute: routes, ReferenceGrant: { "shared/let-in": other } }, cache);
    expect(diffHosts(before.hosts, after.hosts).size).toBe(0);
  });

  test("of a route that was labelled meanwhile changes nothing", () => {
    const cache = newGraphCache();
    const before = build({ WebSocketRoute: routes }, cache);
    const labelled = { ...routes, "apps/chat": route("chat", { rules }, { generation: 2, labels: { a: "b" } }) };
    expect(diffHosts(before.hosts, build({ WebSocketRoute: labelled }, cache).hosts).size).toBe(0);
  });
});

describe("a route without hostnames", () => {
  const hostless = { WebSocketRoute: { "apps/chat": route("chat", { hostnames: [] }) } };

  test.for([
    { name: "is served from every namespace in a folder", from: "all" as const, isServed: true },
    { name: "is served from a namespace that is named", from: new Set(["apps"]), isServed: true },
    { name: "is not served from another namespace", from: new Set(["app", "shared"]), isServed: false },
  ])("$name", ({ from, isServed }) => {
    const graph = build(hostless, newGraphCache(), { anyHostNamespaces: from });
    expect([...graph.hosts.keys()]).toEqual(isServed ? ["*"] : []);
    expect(graph.upstreams.size).toBe(isServed ? 1 : 0);
    expect(graph.routes.get("apps/chat")!.upstreams).toHaveLength(isServed ? 1 : 0);
  });

  test("is told what to do, and that nothing of it was looked at", () => {
    const graph = build(hostless, newGraphCache(), { anyHostNamespaces: new Set() });
    expect(graph.routes.get("apps/chat")!.conditions).toEqual([
      {
        type: "Accepted",
        status: "False",
        reason: "HostnamesRequired",
        message:
          "spec.hostnames: list the hosts that the route serves; without them it would claim every host, which needs " +
          "namespace apps to be named by --any-host-namespaces",
      },
      {
        type: "ResolvedRefs",
        status: "Unknown",
        reason: "HostnamesRequired",
        message: "the route is not accepted",
      },
      { type: "Programmed", status: "False", reason: "HostnamesRequired", message: "the route is not accepted" },
    ]);
  });

  test("with hostnames needs no permission", () => {
    const graph = build({ WebSocketRoute: { "apps/chat": route("chat") } }, newGraphCache(), {
      anyHostNamespaces: new Set(),
    });
    expect(conditionOf(graph, "apps/chat", "Accepted").status).toBe("True");
  });
});

describe("an ExternalName Service", () => {
  const objects = {
    WebSocketRoute: { "apps/chat": route("chat") },
    Service: { "apps/chat": service("chat", { type: "ExternalName", externalName: "chat.example.net" }) },
  };

  test("is followed where that is allowed", () => {
    expect(conditionOf(build(objects), "apps/chat", "ResolvedRefs").status).toBe("True");
  });

  test("is refused where it is not, with what to do", () => {
    const graph = build(objects, newGraphCache(), { externalNames: "Refuse" });
    expect(conditionOf(graph, "apps/chat", "ResolvedRefs")).toEqual({
      type: "ResolvedRefs",
      status: "False",
      reason: "ExternalNameNotAllowed",
      message:
        "spec.rules[0].backendRefs[0]: Service apps/chat is of type ExternalName, which is not followed; use a Service " +
        "with endpoints, or have Holdfast started with --allow-external-name",
    });
    expect(conditionOf(graph, "apps/chat", "Programmed").status).toBe("True");
  });
});
