import type { CompiledRule, CompiledEntry, UpstreamKey } from "../routing/index.ts";

/** Kinds that a source delivers. */
export type Kind =
  | "WebSocketRoute"
  | "Service"
  | "EndpointSlice"
  | "IngressClass"
  | "ReferenceGrant"
  | "Secret"
  | "ConfigMap";

/** `namespace/name`; of an object that has no namespace (IngressClass), `/name`. */
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
  /** Of the object, where the source knows one: a route made anew under the same name is another. */
  readonly uid?: string | undefined;
  readonly generation: number;
  readonly conditions: readonly Condition[];
  /** Empty when the route is not accepted. */
  readonly rules: readonly CompiledRule[];
  /** Where the rules send tunnels, each once: resolved or not, but only what the route may refer to. */
  readonly upstreams: readonly UpstreamKey[];
}

/** What all routes mean together. */
export interface RouteGraph {
  readonly routes: ReadonlyMap<NamespacedName, RouteNode>;
  /** Every upstream that a rule names and its route may refer to, resolved or not. */
  readonly upstreams: ReadonlySet<UpstreamKey>;
  /** Every Service that a rule names and its route may refer to, existing or not: its arrival matters. */
  readonly services: ReadonlySet<NamespacedName>;
  /** Service → the upstreams of it that rules name, for whoever hears that the Service's endpoints changed. */
  readonly upstreamsOf: ReadonlyMap<NamespacedName, readonly UpstreamKey[]>;
  /** The table: host pattern → entries in order of precedence. */
  readonly hosts: ReadonlyMap<string, readonly CompiledEntry[]>;
}

/** What one Holdfast serves, of all that its source shows. */
export interface GraphOptions {
  /** Routes that name another class are not ours. undefined = those of every IngressClass whose controller is ours. */
  readonly ingressClassName: string | undefined;
  /**
   * Whose the routes are that name no class. `Ours`: ours, as in a folder and where IngressClasses may not be read.
   * `ByIngressClass`: of the IngressClass of ours that is marked default, else of the only one of ours.
   */
  readonly classless: "Ours" | "ByIngressClass";
  /** Namespaces whose routes may be without hostnames, which claims every host; `all` in a folder. */
  readonly anyHostNamespaces: ReadonlySet<string> | "all";
  /** Whether a Service of type ExternalName is followed, or refused with a condition. */
  readonly externalNames: "Follow" | "Refuse";
  /** Whether there is a key for affinity cookies. */
  readonly affinity: "Keyed" | "Keyless";
}
