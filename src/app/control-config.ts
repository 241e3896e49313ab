import type { LogLevel } from "../telemetry/index.ts";
import type { Manifest } from "./proxy-manifests.ts";

/** What the control thread is given when it starts; plain, cloneable data. */
export interface ControlThreadConfig {
  readonly source:
    | { readonly kind: "files"; readonly dir: string }
    | { readonly kind: "manifests"; readonly manifests: readonly Manifest[] };
  readonly ingressClass: string;
  readonly dnsIntervalMs: number;
  readonly logLevel: LogLevel;
}
