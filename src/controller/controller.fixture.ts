import { afterEach } from "vitest";
import type { ClusterSnapshot, Kind } from "../graph/index.ts";
import type { Endpoint, TableDelta } from "../routing/index.ts";
import type { RoutePatch, RouteStatus } from "../status/index.ts";
import {
  type After,
  type ClusterChange,
  type ClusterObject,
  type ClusterSource,
  Controller,
  type ControllerObserver,
  type DataPlane,
  type Log,
  ObjectStore,
  type StatusWriter,
} from "./index.ts";

/** Time that passes only by hand. */
class HandClock {
  nowMs = 0;
  /** Milliseconds that pass with each look at the clock, as if everything took time. */
  msPerLook = 0;
  readonly #timers = new Set<{ atMs: number; run: () => void }>();

  readonly now = (): number => (this.nowMs += this.msPerLook);

  readonly after: After = (delayMs, run) => {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  async pass(ms: number): Promise<void> {
    await settled();
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      await settled();
    }
    this.nowMs = untilMs;
    await settled();
  }
}

/** All promises that are ready have run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class MemorySource implements ClusterSource {
  readonly store = new ObjectStore();
  readonly #listeners: ((change: ClusterChange) => void)[] = [];
  startsWith: () => Promise<void> = () => Promise.resolve();

  start(): Promise<void> {
    return this.startsWith();
  }
  snapshot(): ClusterSnapshot {
    return this.store;
  }
  onChange(listener: (change: ClusterChange) => void): void {
    this.#listeners.push(listener);
  }
  put(kind: Kind, object: ClusterObject): void {
    this.#tell(this.store.put(kind, object));
  }
  remove(kind: Kind, name: string): void {
    this.#tell(this.store.remove(kind, name));
  }
  /** A change that the source tells of though no object that is stored changed. */
  tell(change: ClusterChange): void {
    this.#tell([change]);
  }
  #tell(changes: readonly ClusterChange[]): void {
    for (const change of changes) for (const listener of this.#listeners) listener(change);
  }
}

/** Writes down, in order, what it is told; `rejects` counts how many tables it will not take. */
class Recorder implements DataPlane, StatusWriter, ControllerObserver, Log {
  readonly lines: string[] = [];
  readonly deltas: TableDelta[] = [];
  /** Of statuses, as they were written. */
  readonly patches: RoutePatch[] = [];
  readonly #standing = new Map<string, RouteStatus>();
  readonly #onActive: (() => void)[] = [];
  isActive = true;
  readonly builds: Parameters<ControllerObserver["programmed"]>[0][] = [];
  readonly logged: string[] = [];
  rejectedTables = 0;
  thrownEndpoints = 0;
  rejectedWrites = 0;
  /** How many writes were begun that were not rejected outright. */
  writes = 0;
  holdWrite: Promise<void> | undefined;
  /** Writes resolve and write nothing. */
  dropsAll = false;
  readonly refusedRoutes = new Set<string>();
  holdTable: Promise<void> | undefined;

  async applyTable(delta: TableDelta): Promise<void> {
    const hosts = [...delta.hosts].map(([host, entries]) => (entries === null ? `-${host}` : host));
    if (this.rejectedTables > 0) {
      this.rejectedTables -= 1;
      this.lines.push(`refused ${hosts.join(" ")}`);
      throw new Error("no");
    }
    this.deltas.push(delta);
    await this.holdTable;
    this.lines.push(`table ${hosts.join(" ")}`);
  }
  setEndpoints(upstream: string, endpoints: readonly Endpoint[] | null): void {
    if (this.thrownEndpoints > 0) {
      this.thrownEndpoints -= 1;
      throw new Error("no");
    }
    const list = endpoints?.map(({ address, port }) => `${address}:${port}`).join(" ");
    this.lines.push(`${upstream} = ${list === undefined ? "forgotten" : `[${list}]`}`);
  }
  standing(route: string): RouteStatus | undefined {
    return this.#standing.get(route);
  }
  /** Somebody else wrote a status, or took it away. */
  clobber(route: string, status: RouteStatus | undefined): void {
    if (status === undefined) this.#standing.delete(route);
    else this.#standing.set(route, status);
  }
  async write(patches: readonly RoutePatch[]): Promise<void> {
    if (this.rejectedWrites > 0) {
      this.rejectedWrites -= 1;
      throw new Error("no");
    }
    this.writes += 1;
    await this.holdWrite;
    if (this.dropsAll) return;
    const taken = patches.filter(({ route }) => !this.refusedRoutes.has(route));
    for (const patch of taken) this.#standing.set(patch.route, patch);
    this.patches.push(...taken);
    if (taken.length < patches.length) throw new Error("not these");
  }
  retain(): void {}
  onActive(listener: () => void): void {
    this.#onActive.push(listener);
  }
  setActive(isActive: boolean): void {
    this.isActive = isActive;
    if (isActive) for (const listener of this.#onActive) listener();
  }
  programmed(build: Parameters<ControllerObserver["programmed"]>[0]): void {
    this.builds.push(build);
  }
  debug(): void {}
  info(): void {}
  warn(_fields: object, message: string): void {
    this.logged.push(message);
  }
  error(_fields: object, message: string): void {
    this.logged.push(message);
  }
  /** What was written since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

export const route = (
  name: string,
  more: { host?: string; to?: string; port?: number; rules?: unknown } = {},
): ClusterObject =>
  ({
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name, namespace: "apps" },
    spec: {
      hostnames: [more.host ?? `${name}.example.com`],
      rules: more.rules ?? [{ name: "main", backendRefs: [{ name: more.to ?? name, port: more.port ?? 80 }] }],
    },
  }) as ClusterObject;
export const service = (name: string, ports: unknown = [{ name: "ws", port: 80 }]): ClusterObject =>
  ({ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "apps" }, spec: { ports } }) as ClusterObject;
export const slice = (of: string, addresses: string[], portName = "ws"): ClusterObject =>
  ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${of}-1`, namespace: "apps", labels: { "kubernetes.io/service-name": of } },
    addressType: "IPv4",
    ports: [{ name: portName, port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  }) as ClusterObject;

export interface World {
  readonly source: MemorySource;
  readonly told: Recorder;
  readonly clock: HandClock;
  readonly ended: Promise<void>;
  readonly abort: AbortController;
}

const worlds: World[] = [];

export async function run(
  prepare: (world: Pick<World, "source" | "told" | "clock">) => void = () => {},
): Promise<World> {
  const source = new MemorySource();
  const told = new Recorder();
  const clock = new HandClock();
  const abort = new AbortController();
  prepare({ source, told, clock });
  const controller = new Controller({
    source,
    dataPlane: told,
    status: told,
    observer: told,
    log: told,
    now: clock.now,
    after: clock.after,
    options: {
      ingressClassName: "holdfast",
      classless: "Ours",
      anyHostNamespaces: "all",
      externalNames: "Follow",
      affinity: "Keyed",
    },
  });
  const world = { source, told, clock, abort, ended: controller.run(abort.signal) };
  world.ended.catch(() => {});
  worlds.push(world);
  await settled();
  return world;
}

export const withChat = ({ source }: Pick<World, "source">): void => {
  source.put("WebSocketRoute", route("chat"));
  source.put("Service", service("chat"));
  source.put("EndpointSlice", slice("chat", ["10.0.0.1", "10.0.0.2"]));
};

afterEach(async () => {
  for (const { abort, ended } of worlds.splice(0)) {
    abort.abort();
    await ended.catch(() => {});
  }
});
