import {
  buildRouteGraph,
  type ClusterSnapshot,
  type Condition,
  type GraphCache,
  type GraphOptions,
  type Kind,
  newGraphCache,
  type RouteGraph,
} from "./index.ts";

/** As in a folder: one class, and nothing else is asked. */
const OPTIONS: GraphOptions = {
  ingressClassName: "holdfast",
  classless: "Ours",
  anyHostNamespaces: "all",
  externalNames: "Follow",
  affinity: "Keyed",
};

/** Objects by kind and name. */
export type Objects = Partial<Record<Kind, Record<string, unknown>>>;

export function snapshotOf(objects: Objects): ClusterSnapshot {
  return {
    list: (kind) => new Map(Object.entries(objects[kind] ?? {})),
    slicesOf: () => Object.values(objects.EndpointSlice ?? {}),
  };
}

/** A route `apps/name`, unless `metadata` says otherwise. */
export function route(name: string, spec: object = {}, metadata: object = {}): unknown {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name, namespace: "apps", ...metadata },
    spec: { hostnames: ["chat.example.com"], rules: [{ backendRefs: [{ name: "chat", port: 80 }] }], ...spec },
  };
}

export function service(name: string, spec: object = { ports: [{ port: 80 }] }): unknown {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "apps" }, spec };
}

/** A build with the options of a folder where no others are given. */
export function build(
  objects: Objects,
  cache: GraphCache = newGraphCache(),
  options: Partial<GraphOptions> = {},
): RouteGraph {
  return buildRouteGraph(snapshotOf(objects), { ...OPTIONS, ...options }, cache);
}

export function conditionOf(graph: RouteGraph, name: string, type: Condition["type"]): Condition {
  const condition = graph.routes.get(name)?.conditions.find((one) => one.type === type);
  if (condition === undefined) throw new Error(`${name} has no condition ${type}`);
  return condition;
}
