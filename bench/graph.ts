// What building, comparing and staging the table costs: `node bench/graph.ts`. Prints figures; asserts nothing.
import { buildRouteGraph, diffHosts, newGraphCache, resolveEndpoints } from "../src/graph/index.ts";
import type { ClusterSnapshot, GraphOptions, Kind } from "../src/graph/index.ts";
import { TableHolder } from "../src/routing/index.ts";
import type { CompiledEntry, UpstreamKey } from "../src/routing/index.ts";

const ENDPOINTS_PER_ROUTE = 10;
const EDITS = 50;
const OPTIONS: GraphOptions = {
  ingressClassName: "holdfast",
  classless: "Ours",
  anyHostNamespaces: "all",
  externalNames: "Follow",
  affinity: "Keyed",
};

class World implements ClusterSnapshot {
  readonly routes = new Map<string, unknown>();
  readonly services = new Map<string, unknown>();
  readonly slices = new Map<string, unknown[]>();

  list(kind: Kind): ReadonlyMap<string, unknown> {
    if (kind === "WebSocketRoute") return this.routes;
    return kind === "Service" ? this.services : new Map();
  }

  slicesOf(service: string): readonly unknown[] {
    return this.slices.get(service) ?? [];
  }
}

function route(i: number, hostname: string, idle = "1h"): unknown {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name: `route-${i}`, namespace: "apps", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      hostnames: [hostname],
      rules: [
        {
          name: "app",
          matches: [
            { path: { type: "PathPrefix", value: `/app-${i}` } },
            { path: { type: "Exact", value: `/ws-${i}` } },
          ],
          backendRefs: [{ name: `service-${i}`, port: 80 }],
          timeouts: { idle },
        },
      ],
    },
  };
}

function worldOf(routes: number, hosts: number): World {
  const world = new World();
  for (let i = 0; i < routes; i++) {
    world.routes.set(`apps/route-${i}`, route(i, `host-${i % hosts}.example.com`));
    world.services.set(`apps/service-${i}`, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: `service-${i}`, namespace: "apps" },
      spec: { ports: [{ name: "ws", port: 80, targetPort: 8080 }] },
    });
    world.slices.set(`apps/service-${i}`, [slice(i)]);
  }
  return world;
}

function slice(i: number, endpoints = ENDPOINTS_PER_ROUTE): unknown {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `service-${i}-x`,
      namespace: "apps",
      labels: { "kubernetes.io/service-name": `service-${i}` },
    },
    addressType: "IPv4",
    ports: [{ name: "ws", port: 8080 }],
    endpoints: Array.from({ length: endpoints }, (_, n) => ({
      addresses: [`10.${i >> 8}.${i & 255}.${n + 1}`],
      conditions: { ready: true },
      targetRef: { kind: "Pod", name: `pod-${i}-${n}`, uid: `uid-${i}-${n}` },
    })),
  };
}

function timed<T>(label: string, run: () => T): T {
  const start = performance.now();
  const result = run();
  console.log(`${label.padEnd(64)} ${(performance.now() - start).toFixed(2)} ms`);
  return result;
}

function benchBuild(routes: number, hosts: number): void {
  console.log(`\n${routes} routes on ${hosts} hosts, ${ENDPOINTS_PER_ROUTE} endpoints each`);
  const world = worldOf(routes, hosts);
  const cache = newGraphCache();
  let graph = timed("build, cold", () => buildRouteGraph(world, OPTIONS, cache));
  let delta = timed("diff against nothing", () => diffHosts(new Map(), graph.hosts));
  const holder = new TableHolder();
  const parts = [...delta].reduce<(readonly [string, readonly CompiledEntry[] | null])[][]>((all, host, i) => {
    if (i % 200 === 0) all.push([]);
    all.at(-1)?.push(host);
    return all;
  }, []);
  const clones = parts.map((part) => structuredClone(new Map(part)));
  const slowest = Math.max(
    ...clones.map((part) => {
      const start = performance.now();
      holder.stage(part);
      return performance.now() - start;
    }),
  );
  console.log(`${`stage, ${parts.length} parts of 200 hosts: slowest part`.padEnd(64)} ${slowest.toFixed(2)} ms`);
  timed("commit, all hosts new", () => holder.commit(1));
  const figures: Record<string, number[]> = { build: [], diff: [], clone: [], stage: [], commit: [] };
  const measure = <T>(name: keyof typeof figures, run: () => T): T => {
    const start = performance.now();
    const result = run();
    figures[name]?.push(performance.now() - start);
    return result;
  };
  for (let edit = 1; edit <= EDITS; edit++) {
    world.routes.set("apps/route-0", route(0, "host-0.example.com", `${edit}m`));
    const before = graph;
    graph = measure("build", () => buildRouteGraph(world, OPTIONS, cache));
    delta = measure("diff", () => diffHosts(before.hosts, graph.hosts));
    // What crosses threads is a clone; a host with a long list crosses in parts, which is app/'s to do.
    const clone = measure("clone", () => structuredClone(delta));
    measure("stage", () => holder.stage(clone));
    measure("commit", () => holder.commit(edit + 1));
  }
  for (const [name, ms] of Object.entries(figures)) {
    const sorted = ms.toSorted((x, y) => x - y);
    const text = [sorted[0], sorted[EDITS >> 1], sorted[EDITS - 1]]
      .map((x) => (x ?? Number.NaN).toFixed(2))
      .join(" / ");
    console.log(`${`warm, one edit: ${name}, least / median / most of ${EDITS}`.padEnd(64)} ${text} ms`);
  }
  timed("endpoints of every upstream, cold", () => resolveAll(world, graph.upstreams, cache));
  timed("endpoints of every upstream, warm", () => resolveAll(world, graph.upstreams, cache));
  world.slices.set("apps/service-0", [slice(0)]);
  timed("endpoints of one upstream whose slice changed", () =>
    resolveAll(world, ["apps/service-0:80" as UpstreamKey], cache),
  );
}

/** 1,000 endpoints in slices of 100, as the EndpointSlice controller makes them, and one slice that changes. */
function benchLargeService(): void {
  const world = worldOf(1, 1);
  const cache = newGraphCache();
  const upstream = "apps/service-0:80" as UpstreamKey;
  const slices = Array.from({ length: 10 }, (_, i) => slice(i, 100));
  const resolve = (): number => {
    world.slices.set("apps/service-0", [...slices]);
    const start = performance.now();
    resolveEndpoints(world, upstream, OPTIONS, cache);
    return performance.now() - start;
  };
  const cold = resolve();
  const warm = Array.from({ length: EDITS }, () => {
    slices[0] = slice(0, 100);
    return resolve();
  }).toSorted((x, y) => x - y);
  const text = [cold, warm[0], warm[EDITS >> 1], warm[EDITS - 1]].map((x) => (x ?? Number.NaN).toFixed(2)).join(" / ");
  console.log(`${"\n1,000 endpoints in 10 slices, one changed: cold / least / median / most".padEnd(65)} ${text} ms`);
}

function resolveAll(world: World, upstreams: Iterable<UpstreamKey>, cache: ReturnType<typeof newGraphCache>): number {
  let endpoints = 0;
  for (const upstream of upstreams) endpoints += resolveEndpoints(world, upstream, OPTIONS, cache).length;
  return endpoints;
}

benchBuild(5_000, 5_000);
benchBuild(5_000, 1);
benchLargeService();
