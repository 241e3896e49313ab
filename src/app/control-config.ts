import type { GraphOptions } from "../graph/index.ts";
import type { LogLevel } from "../telemetry/index.ts";
import type { KubernetesConfig } from "./config.ts";
import type { Manifest } from "./proxy-manifests.ts";

/** What the control thread is given when it starts; plain, cloneable data. */
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
