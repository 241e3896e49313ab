import type { LogFormat, LogLevel } from "../telemetry/index.ts";

/** Where to listen. */
export interface ListenAddress {
  /** undefined = every address of the machine. */
  readonly host: string | undefined;
  /** 0 = any free one. */
  readonly port: number;
}

/** How a planned end goes. Milliseconds after the signal. */
export interface ShutdownPlan {
  /** New connections are accepted so long. */
  readonly graceMs: number;
  /** By then the last tunnel has been told to close; the closes are spread over all the time since the grace. */
  readonly deadlineMs: number;
}

/** Where `holdfast proxy` sends: an address or a name, with a port. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** The API server as source. */
export interface KubernetesConfig {
  readonly kind: "kubernetes";
  /** Path; undefined = in-cluster credentials, else KUBECONFIG, else ~/.kube/config. */
  readonly kubeconfig: string | undefined;
  /** Empty = all. */
  readonly namespaces: readonly string[];
  /** Of the Lease object that says which replica writes statuses. */
  readonly leaseName: string;
  /** undefined = the namespace of the credentials. */
  readonly leaseNamespace: string | undefined;
  /** Names this replica in the Lease object and in Events. */
  readonly identity: string;
  /** A watch that brings no byte for so long is opened again. */
  readonly watchSilenceMs: number;
}

export type SourceConfig =
  | { readonly kind: "files"; readonly dir: string }
  | KubernetesConfig
  | {
      readonly kind: "proxy";
      readonly to: readonly ProxyTarget[];
      readonly path: string;
      readonly rewrite: string | undefined;
    };

/** What is served, of what a source shows. */
export interface SourceRules {
  readonly source: SourceConfig;
  /** undefined = every IngressClass whose controller is ours. */
  readonly ingressClass: string | undefined;
  /** Namespaces whose routes may be without hostnames. */
  readonly anyHostNamespaces: readonly string[] | "all";
  /** Whether Services of type ExternalName are followed. */
  readonly allowExternalName: boolean;
  /** Path of the key for affinity cookies, a file or a folder; undefined = nobody is bound. */
  readonly affinityKey: string | undefined;
  /** Of this process; undefined = nobody says, and endpoints are used whatever zone they are for. */
  readonly zone: string | undefined;
}

/** Everything the flags and the environment say, checked. */
export interface Config extends SourceRules {
  readonly version: string;
  readonly http: ListenAddress;
  readonly admin: ListenAddress | "off";
  /** Path of a unix socket that serves what the admin port serves; undefined = none. */
  readonly adminSocket: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly headerTimeoutMs: number;
  readonly maxHeadBytes: number;
  /** Memory for what waits in all tunnels together; undefined = a quarter of what the process may have. */
  readonly bufferBudgetBytes: number | undefined;
  /** undefined = as many as there are descriptors for. */
  readonly maxTunnels: number | undefined;
  readonly dnsIntervalMs: number;
  readonly shutdown: ShutdownPlan;
}
