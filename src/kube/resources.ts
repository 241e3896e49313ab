import { API_GROUP, API_VERSION, ROUTE_PLURAL } from "../api/index.ts";
import type { Kind } from "../graph/index.ts";

/** The kinds that are watched. */
export type WatchedKind = Extract<
  Kind,
  "WebSocketRoute" | "Service" | "EndpointSlice" | "IngressClass" | "ReferenceGrant"
>;

/** A resource as the API server serves it. */
export interface Resource {
  readonly kind: WatchedKind;
  /** "" = the core group. */
  readonly group: string;
  /** In order of preference; the first that is served is used. */
  readonly versions: readonly string[];
  /** As in paths and in RBAC. */
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  /** `Optional`: where it is not served there is none of it, and that is nobody's fault. */
  readonly need: "Required" | "Optional";
}

/** What is watched, in the order in which it is told of. */
export const RESOURCES: readonly Resource[] = [
  {
    kind: "WebSocketRoute",
    group: API_GROUP,
    versions: [API_VERSION],
    plural: ROUTE_PLURAL,
    scope: "Namespaced",
    need: "Required",
  },
  { kind: "Service", group: "", versions: ["v1"], plural: "services", scope: "Namespaced", need: "Required" },
  {
    kind: "EndpointSlice",
    group: "discovery.k8s.io",
    versions: ["v1"],
    plural: "endpointslices",
    scope: "Namespaced",
    need: "Required",
  },
  {
    kind: "IngressClass",
    group: "networking.k8s.io",
    versions: ["v1"],
    plural: "ingressclasses",
    scope: "Cluster",
    need: "Required",
  },
  {
    kind: "ReferenceGrant",
    group: "gateway.networking.k8s.io",
    versions: ["v1", "v1beta1"],
    plural: "referencegrants",
    scope: "Namespaced",
    need: "Optional",
  },
];

/** `apiVersion` of its objects. */
export function apiVersionOf({ group }: Resource, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The path of a list, in one namespace or in all. */
export function pathOf(resource: Resource, version: string, namespace: string | undefined): string {
  const root = resource.group === "" ? `/api/${version}` : `/apis/${resource.group}/${version}`;
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}`;
}

/** Its name among all resources: `websocketroutes.holdfast.dev`. */
export function resourceName({ plural, group }: Resource): string {
  return group === "" ? plural : `${plural}.${group}`;
}
