import type { ClusterSnapshot, NamespacedName } from "../graph/index.ts";
import type { Endpoint, TableDelta, UpstreamKey } from "../routing/index.ts";
import type { RoutePatch, RouteStatus } from "../status/index.ts";

/** Something happened; whoever hears it reads the snapshot again. */
export type ClusterChange =
  /** Of a route, a class or a grant: the graph is another. */
  | { readonly kind: "routes" }
  | { readonly kind: "services"; readonly service: NamespacedName }
  | { readonly kind: "endpoints"; readonly service: NamespacedName }
  /** What stands in the status of routes changed, and nothing else: no reason to build. */
  | { readonly kind: "statuses" };

/** Where desired state comes from. Implemented by files/ and kube/. */
export interface ClusterSource {
  /** Resolves once every kind has its first full list; listeners are called from then on. */
  start(signal: AbortSignal): Promise<void>;
  snapshot(): ClusterSnapshot;
  onChange(listener: (change: ClusterChange) => void): void;
}

/**
 * Where statuses go. Implemented by files/ (says conditions in the log) and kube/ (writes them, if it is the leader).
 * Whoever writes compares with `standing` first and hands over what differs.
 */
export interface StatusWriter {
  /** False: another replica writes, and nothing is to be handed over. */
  readonly isActive: boolean;
  /** What stands there now, as far as is known; undefined = nothing. Reflects a write as soon as that has resolved. */
  standing(route: NamespacedName): RouteStatus | undefined;
  /** Rejects when not all could be written; what was written shows in `standing`. */
  write(patches: readonly RoutePatch[]): Promise<void>;
  /** No other routes are ours: what is kept of others may be forgotten. */
  retain(routes: ReadonlyMap<NamespacedName, unknown>): void;
  /** `listener` is called whenever it becomes active. */
  onActive(listener: () => void): void;
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
