import type { MessagePort } from "node:worker_threads";
import type { GraphOptions } from "../graph/index.ts";
import type { LogLevel } from "../telemetry/index.ts";
import type { KubernetesConfig } from "./config.ts";
import type { Manifest } from "./proxy-manifests.ts";

/** What the control thread is given when it starts. */
export interface ControlThreadStart {
  readonly config: ControlThreadConfig;
  /** To each data thread but the main one, which the thread's own port leads to. */
  readonly dataPorts: readonly MessagePort[];
}

/** What the flags say for the control thread; plain, cloneable data. */
export interface ControlThreadConfig {
  readonly source:
    | { readonly kind: "files"; readonly dir: string }
    | { readonly kind: "manifests"; readonly manifests: readonly Manifest[] }
    | KubernetesConfig;
  readonly version: string;
  readonly graph: GraphOptions;
  readonly dnsIntervalMs: number;
  readonly logLevel: LogLevel;
}
