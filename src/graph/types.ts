import type { CompiledRule, CompiledEntry, UpstreamKey } from "../routing/index.ts";

/** Kinds that a source delivers. */
export type Kind = "WebSocketRoute" | "Service" | "EndpointSlice" | "Secret" | "ConfigMap";

/** `namespace/name`. */
export type NamespacedName = string;

/**
 * The desired state as read. Objects are as the API server or a file gave them: unknown until parsed, never changed in
 * place. An object that is edited is a new object, so whoever caches may do so by identity.
 */
export interface ClusterSnapshot {
  list(kind: Kind): ReadonlyMap<NamespacedName, unknown>;
  /** EndpointSlices that carry the label `kubernetes.io/service-name` of that Service, in order of name. */
  slicesOf(service: NamespacedName): readonly unknown[];
}

/** As in the Kubernetes API conventions; `lastTransitionTime` belongs to whoever writes it. */
export interface Condition {
  readonly type: "Accepted" | "ResolvedRefs" | "Programmed";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

export interface RouteNode {
  readonly name: NamespacedName;
  readonly generation: number;
  readonly conditions: readonly Condition[];
  /** Empty when the route is not accepted. */
  readonly rules: readonly CompiledRule[];
}

/** What all routes mean together. */
export interface RouteGraph {
  readonly routes: ReadonlyMap<NamespacedName, RouteNode>;
  /** Every upstream that a rule names, resolved or not. */
  readonly upstreams: ReadonlySet<UpstreamKey>;
  /** Every Service that a rule names, existing or not: its arrival matters. */
  readonly services: ReadonlySet<NamespacedName>;
  /** Service → the upstreams of it that rules name, for whoever hears that the Service's endpoints changed. */
  readonly upstreamsOf: ReadonlyMap<NamespacedName, readonly UpstreamKey[]>;
  /** The table: host pattern → entries in order of precedence. */
  readonly hosts: ReadonlyMap<string, readonly CompiledEntry[]>;
}

export interface GraphOptions {
  /** Routes that name another class are not ours; those that name none are. */
  readonly ingressClassName: string;
}
