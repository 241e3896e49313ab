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
  /** By then the last tunnel has been told to close. */
  readonly deadlineMs: number;
  /** The closes are spread over so long before the deadline. */
  readonly spreadMs: number;
}

/** Where `holdfast proxy` sends: an address or a name, with a port. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

export type SourceConfig =
  | { readonly kind: "files"; readonly dir: string }
  | {
      readonly kind: "proxy";
      readonly to: readonly ProxyTarget[];
      readonly path: string;
      readonly rewrite: string | undefined;
    };

/** Everything the flags and the environment say, checked. */
export interface Config {
  readonly version: string;
  readonly source: SourceConfig;
  readonly ingressClass: string;
  readonly http: ListenAddress;
  readonly admin: ListenAddress | "off";
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly headerTimeoutMs: number;
  readonly maxHeadBytes: number;
  readonly dnsIntervalMs: number;
  readonly shutdown: ShutdownPlan;
}
