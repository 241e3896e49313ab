import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { build, conditionOf, type Objects, route, service, snapshotOf } from "./graph.fixture.ts";
import {
  buildRouteGraph,
  changedRoutes,
  type ClusterSnapshot,
  diffHosts,
  type GraphOptions,
  type Kind,
  newGraphCache,
  readAhead,
  type RouteGraph,
} from "./index.ts";

/** Objects by kind in the order in which a store would list them. */
class World implements ClusterSnapshot {
  readonly #lists = new Map<Kind, Map<string, unknown>>();

  list(kind: Kind): Map<string, unknown> {
    const list = this.#lists.get(kind) ?? new Map<string, unknown>();
    this.#lists.set(kind, list);
    return list;
  }
  slicesOf(): readonly unknown[] {
    return [];
  }
}

interface Edit {
  readonly kind: Kind;
  readonly name: string;
  /** undefined = it goes. */
  readonly object: unknown;
  /** It goes and comes back, and so is listed last. */
  readonly isMoved: boolean;
}

const OPTIONS: GraphOptions = {
  ingressClassName: undefined,
  classless: "ByIngressClass",
  anyHostNamespaces: new Set(["apps"]),
  externalNames: "Refuse",
  affinity: "Keyed",
};
const OURS: GraphOptions = { ...OPTIONS, classless: "Ours" };
const OTHER_OPTIONS: readonly GraphOptions[] = [
  OURS,
  { ...OPTIONS, ingressClassName: "one" },
  { ...OPTIONS, anyHostNamespaces: "all" },
  { ...OPTIONS, externalNames: "Follow" },
  { ...OPTIONS, affinity: "Keyless" },
];

const aRef = fc.record(
  { name: fc.constantFrom("s", "t"), namespace: fc.constant("shared"), port: fc.constantFrom(80, 81) },
  { requiredKeys: ["name", "port"] },
);
const aRule = fc.record({
  matches: fc.array(
    fc.record(
      {
        path: fc.record({ value: fc.constantFrom("/", "/a", "/b") }),
        subprotocols: fc.subarray(["x", "y"], { minLength: 1 }),
      },
      { requiredKeys: [] },
    ),
    { minLength: 1, maxLength: 2 },
  ),
  backendRefs: fc.array(aRef, { minLength: 1, maxLength: 2 }),
  affinity: fc.constantFrom(undefined, { cookie: {} }),
});
const aRoute = fc
  .record({
    hostnames: fc.subarray(["a.test", "b.test", "*.test"]),
    rules: fc.array(aRule, { maxLength: 2 }),
    ingressClassName: fc.constantFrom(undefined, "one", "two"),
    creationTimestamp: fc.constantFrom(undefined, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    generation: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ generation, creationTimestamp, ...spec }) => route("any", spec, { generation, creationTimestamp }));
const aService = fc.constantFrom(
  { ports: [{ port: 80 }] },
  { ports: [{ port: 81 }] },
  { ports: [{ port: 80 }, { port: 81 }] },
  { ports: [{ port: "x" }] },
  { type: "ExternalName", externalName: "a.test" },
);
const aClass = fc.record({ isOurs: fc.boolean(), isDefault: fc.boolean() });
const aGrant = fc.record({ from: fc.constantFrom("apps", "team"), service: fc.constantFrom(undefined, "s") });

const edit = (kind: Kind, names: readonly string[], object: fc.Arbitrary<unknown>): fc.Arbitrary<Edit> =>
  fc.record({
    kind: fc.constant(kind),
    name: fc.constantFrom(...names),
    object: fc.option(
      object.map((one) => structuredClone(one)),
      { nil: undefined, freq: 4 },
    ),
    isMoved: fc.boolean(),
  });
const anEdit = fc.oneof(
  { weight: 5, arbitrary: edit("WebSocketRoute", ["apps/a", "apps/b", "team/c", "team/d", "apps/e"], aRoute) },
  {
    weight: 3,
    arbitrary: edit(
      "Service",
      ["apps/s", "apps/t", "team/s", "shared/s", "shared/t"],
      aService.map((spec) => service("any", spec)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("one", "two").chain((name) =>
      edit(
        "IngressClass",
        [`/${name}`],
        aClass.map(({ isOurs, isDefault }) => ({
          apiVersion: "networking.k8s.io/v1",
          kind: "IngressClass",
          metadata: { name, annotations: { "ingressclass.kubernetes.io/is-default-class": `${isDefault}` } },
          spec: { controller: isOurs ? "holdfast.dev/ingress" : "other.test/ingress" },
        })),
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: edit(
      "ReferenceGrant",
      ["shared/g", "shared/h"],
      aGrant.map(({ from, service: name }) => ({
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "ReferenceGrant",
        metadata: { name: "any", namespace: "shared" },
        spec: {
          from: [{ group: "holdfast.dev", kind: "WebSocketRoute", namespace: from }],
          to: [{ group: "", kind: "Service", name }],
        },
      })),
    ),
  },
);
const aStep = fc.record({
  edits: fc.array(anEdit, { maxLength: 3 }),
  /** So many steps of reading ahead come between these edits and those. */
  ahead: fc.nat({ max: 4 }),
  laterEdits: fc.array(anEdit, { maxLength: 2 }),
  options: fc.oneof(
    { weight: 4, arbitrary: fc.constant(OPTIONS) },
    { weight: 1, arbitrary: fc.constantFrom(...OTHER_OPTIONS) },
  ),
});

function apply(world: World, { kind, name, object, isMoved }: Edit): void {
  const list = world.list(kind);
  if (object === undefined || isMoved) list.delete(name);
  if (object !== undefined) list.set(name, object);
}

/** Takes so many steps, or as many as there are; answers how many. */
function take(steps: number, of: Iterable<unknown>): number {
  let taken = 0;
  if (steps > 0) for (const _ of of) if (++taken === steps) break;
  return taken;
}

/** The routes of the first list that the later one has as the same object, and that serve alike in both graphs. */
function unchangedRoutes(lists: readonly ReadonlyMap<string, unknown>[], graphs: readonly RouteGraph[]): Set<string> {
  const [before, after] = lists;
  const rulesIn = (name: string) => graphs.map(({ routes }) => JSON.stringify(routes.get(name)?.rules));
  return new Set(
    [...(before?.keys() ?? [])].filter((name) => {
      const [rulesBefore, rulesAfter] = rulesIn(name);
      return before?.get(name) === after?.get(name) && rulesBefore === rulesAfter;
    }),
  );
}

const claimantsOf = (graph: RouteGraph, host: string): readonly string[] =>
  (graph.hosts.get(host) ?? []).map(({ rule }) => rule.route);

/** Enough to begin with that edits meet each other. */
function someWorld(): World {
  const world = new World();
  world.list("IngressClass").set("/one", {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "one" },
    spec: { controller: "holdfast.dev/ingress" },
  });
  world.list("Service").set("apps/s", service("s"));
  return world;
}

describe("with the cache of the builds before", () => {
  test("a graph is always that of a build without it, and hosts of unchanged routes keep their lists", () => {
    fc.assert(
      fc.property(fc.array(aStep, { minLength: 2, maxLength: 12 }), (steps) => {
        const world = someWorld();
        const cache = newGraphCache();
        let before = buildRouteGraph(world, OPTIONS, cache);
        let listed: ReadonlyMap<string, unknown> = new Map();
        let optionsBefore = OPTIONS;
        for (const { edits, ahead, laterEdits, options } of steps) {
          for (const one of edits) apply(world, one);
          take(ahead, readAhead(world, options, cache));
          for (const one of laterEdits) apply(world, one);
          const graph = buildRouteGraph(world, options, cache);
          expect(graph).toEqual(buildRouteGraph(world, options, newGraphCache()));

          const delta = diffHosts(before.hosts, graph.hosts);
          const applied = new Map(before.hosts);
          for (const [host, list] of delta) {
            if (list === null) applied.delete(host);
            else applied.set(host, list);
          }
          expect(applied).toEqual(graph.hosts);
          const unchanged = unchangedRoutes([listed, world.list("WebSocketRoute")], [before, graph]);
          for (const host of options === optionsBefore ? delta.keys() : []) {
            const claimants = [...claimantsOf(before, host), ...claimantsOf(graph, host)];
            expect(claimants.filter((name) => !unchanged.has(name))).not.toEqual([]);
          }
          before = graph;
          listed = new Map(world.list("WebSocketRoute"));
          optionsBefore = options;
        }
      }),
      { numRuns: 400 },
    );
  });

  test("routes that nothing changed for are the same nodes, and maps in which nothing changed the same maps", () => {
    const cache = newGraphCache();
    const objects: Objects = {
      WebSocketRoute: { "apps/a": route("a", { hostnames: ["a.test"] }), "apps/b": route("b") },
      Service: { "apps/chat": service("chat") },
    };
    const before = build(objects, cache);
    const same = build(objects, cache);
    expect(Object.values(same).every((part, index) => part === Object.values(before)[index])).toBe(true);
    expect(changedRoutes(before.routes, same.routes)).toEqual([]);
    const after = build(
      { ...objects, WebSocketRoute: { ...objects.WebSocketRoute, "apps/b": route("b", {}, { generation: 7 }) } },
      cache,
    );
    expect(changedRoutes(before.routes, after.routes)).toEqual(["apps/b"]);
    expect([after.hosts, after.upstreams]).toEqual([before.hosts, before.upstreams]);
    expect(after.hosts).toBe(before.hosts);
    expect(after.upstreams).toBe(before.upstreams);
  });

  test("what an earlier build gave stays as it was", () => {
    const cache = newGraphCache();
    const both = { "apps/a": route("a"), "apps/b": route("b") };
    const before = build({ WebSocketRoute: both }, cache);
    const copy = structuredClone(before);
    build({ WebSocketRoute: { "apps/b": route("b", { hostnames: ["new.test"] }) }, Service: {} }, cache);
    expect(before).toEqual(copy);
  });

  test("a build that fails half-way leaves nothing half done to the next", () => {
    const cache = newGraphCache();
    build({ WebSocketRoute: { "apps/a": route("a") } }, cache, OURS);
    const edited = snapshotOf({ WebSocketRoute: { "apps/a": route("a", { hostnames: ["new.test"] }) } });
    const failing: ClusterSnapshot = {
      ...edited,
      list: (kind) => {
        if (kind === "ReferenceGrant") throw new Error("no");
        return edited.list(kind);
      },
    };
    expect(() => buildRouteGraph(failing, OURS, cache)).toThrow("no");
    expect(buildRouteGraph(edited, OURS, cache)).toEqual(buildRouteGraph(edited, OURS, newGraphCache()));
  });
});

describe("reading ahead", () => {
  test("a build reads nothing again that was read ahead, and the rest itself", () => {
    const cache = newGraphCache();
    let reads = 0;
    const counted = (name: string): unknown => {
      const object = route(name) as { readonly spec: object };
      return {
        ...object,
        get spec() {
          reads += 1;
          return object.spec;
        },
      };
    };
    const snapshot = snapshotOf({ WebSocketRoute: { "apps/a": counted("a"), "apps/b": counted("b") } });
    expect(take(9, readAhead(snapshot, OURS, cache))).toBe(2);
    const readsAhead = reads;
    const graph = buildRouteGraph(snapshot, OURS, cache);
    // The class of each, which is looked at without reading the rest.
    expect(reads - readsAhead).toBe(2);
    expect(graph.routes.size).toBe(2);
    expect(take(9, readAhead(snapshot, OURS, cache))).toBe(0);
  });

  test("ends though the list grows with every step", () => {
    const world = new World();
    const add = (): unknown =>
      world.list("WebSocketRoute").set(`apps/r${world.list("WebSocketRoute").size}`, route("r"));
    add();
    let steps = 0;
    for (const _ of readAhead(world, OURS, newGraphCache())) {
      add();
      if (++steps > 10) break;
    }
    expect(steps).toBe(1);
  });
});

describe("what a cache keeps", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;

  test("is gone with the next build when the objects are", async () => {
    const cache = newGraphCache();
    const refs = ((): WeakRef<object>[] => {
      const gone = route("gone");
      const objects = {
        WebSocketRoute: {
          "apps/a": route("a", { rules: [{ backendRefs: [{ name: "chat", namespace: "shared", port: 80 }] }] }),
          "apps/b": route("b"),
          "apps/lost": route("lost"),
        },
        Service: { "apps/chat": service("chat"), "apps/unused": service("unused") },
        ReferenceGrant: { "shared/g": { metadata: { name: "g" } } },
        IngressClass: { "/one": { metadata: { name: "one" } } },
      };
      build(objects, cache);
      take(9, readAhead(snapshotOf({ WebSocketRoute: { "apps/gone": gone } }), OURS, cache));
      build(objects, cache, { externalNames: "Refuse" });
      const all = [gone, ...Object.values(objects).flatMap((list) => Object.values<unknown>(list))];
      return all.map((one) => new WeakRef(one as object));
    })();
    const graph = build({}, cache);
    expect([graph.routes.size, graph.hosts.size, graph.upstreams.size, graph.upstreamsOf.size]).toEqual([0, 0, 0, 0]);
    expect([cache.last?.routes.size, cache.last?.claims.size]).toEqual([0, 0]);
    await turn();
    collectGarbage();
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  });

  test("of a route that lost to another goes with that other", () => {
    const cache = newGraphCache();
    const [a, b] = [route("a"), route("b")];
    const both = build({ WebSocketRoute: { "apps/a": a, "apps/b": b } }, cache);
    expect(conditionOf(both, "apps/b", "Programmed").reason).toBe("Conflict");
    expect(conditionOf(build({ WebSocketRoute: { "apps/b": b } }, cache), "apps/b", "Programmed").reason).toBe(
      "Programmed",
    );
    expect(cache.last?.claims.get("chat.example.com")?.claimants).toHaveLength(1);
  });
});
