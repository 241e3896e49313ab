import type { ClusterSnapshot, Condition, NamespacedName } from "../graph/index.ts";
import type { Endpoint, TableDelta, UpstreamKey } from "../routing/index.ts";

/** Something happened; whoever hears it reads the snapshot again. */
export type ClusterChange =
  | { readonly kind: "routes" }
  | { readonly kind: "services"; readonly service: NamespacedName }
  | { readonly kind: "endpoints"; readonly service: NamespacedName };

/** Where desired state comes from. Implemented by files/ and, later, kube/. */
export interface ClusterSource {
  /** Resolves once every kind has its first full list; listeners are called from then on. */
  start(signal: AbortSignal): Promise<void>;
  snapshot(): ClusterSnapshot;
  onChange(listener: (change: ClusterChange) => void): void;
}

export interface StatusPatch {
  readonly route: NamespacedName;
  readonly generation: number;
  readonly conditions: readonly Condition[];
}

/** Where conditions go. Implemented by files/ (says them in the log) and, later, kube/ (leader only). */
export interface StatusWriter {
  write(patches: readonly StatusPatch[]): Promise<void>;
}

/** Everything the control thread ever says to the data thread. */
export interface DataPlane {
  /** Resolves when new requests are answered by it. */
  applyTable(delta: TableDelta): Promise<void>;
  /** null: no rule names the upstream any more. Is live before any table given later. */
  setEndpoints(upstream: UpstreamKey, endpoints: readonly Endpoint[] | null): void;
}

/** What the controller tells about itself; becomes metrics and log lines elsewhere. */
export interface ControllerObserver {
  /** After each build that is live. */
  programmed(build: {
    readonly generation: number;
    readonly routes: number;
    readonly rejectedRoutes: number;
    readonly hostsChanged: number;
    readonly buildMs: number;
  }): void;
}

/** A structured log; pino's child loggers fit. The message is constant, values go into `fields`. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Calls `run` once after `delayMs`; the answer calls it off. A timer in production, a hand in tests. */
export type After = (delayMs: number, run: () => void) => () => void;
