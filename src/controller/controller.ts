import {
  buildRouteGraph,
  diffHosts,
  type GraphCache,
  type GraphOptions,
  newGraphCache,
  readAhead,
  type RouteGraph,
} from "../graph/index.ts";
import type { TableDelta } from "../routing/index.ts";
import { afterDelay } from "./after.ts";
import { EndpointRoad } from "./endpoint-road.ts";
import { StatusRoad } from "./status-road.ts";
import type { After, ClusterChange, ClusterSource, ControllerObserver, DataPlane, Log, StatusWriter } from "./types.ts";
import { Turns } from "./turns.ts";
import { Bell, pause, untilAborted } from "./waiting.ts";

export interface ControllerParts {
  readonly source: ClusterSource;
  readonly dataPlane: DataPlane;
  readonly status: StatusWriter;
  readonly observer: ControllerObserver;
  readonly log: Log;
  readonly options: GraphOptions;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** From the start of one build to the start of the next, at least. */
  readonly minBuildIntervalMs?: number;
  readonly after?: After;
}

const MIN_BUILD_INTERVAL_MS = 50;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

/**
 * The loop: hears that something changed, reads the snapshot and makes the data plane follow. Routes go through the
 * graph, one build at a time; endpoints take the short road beside it. Nothing that a user writes, and no failure of a
 * data plane or a status writer, ends the loop: what was said last keeps being served, and what failed is tried again
 * with the next change, or after a while without one.
 */
export class Controller {
  readonly #parts: ControllerParts;
  readonly #after: After;
  readonly #cache: GraphCache = newGraphCache();
  readonly #endpoints: EndpointRoad;
  readonly #status: StatusRoad;
  readonly #bell = new Bell();
  readonly #changedServices = new Set<string>();
  /** Hosts of a delta that failed: nobody knows which of them the data plane took. */
  readonly #doubtfulHosts = new Set<string>();
  #isRunning = false;
  /** The graph built last, whether or not its table is live yet. */
  #built: Pick<RouteGraph, "services"> | undefined;
  #liveHosts: RouteGraph["hosts"] = new Map();
  #generation = 0;
  #failures = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: ControllerParts) {
    this.#parts = parts;
    const { source, dataPlane, log, options, status } = parts;
    this.#after = parts.after ?? afterDelay;
    this.#endpoints = new EndpointRoad({
      snapshot: () => source.snapshot(),
      dataPlane,
      options,
      cache: this.#cache,
      log,
      onCounts: () => this.#status.lookSoon(),
    });
    this.#status = new StatusRoad({
      writer: status,
      countOf: (upstreams) => this.#endpoints.countOf(upstreams),
      log,
      after: this.#after,
      now: parts.now,
    });
  }

  /**
   * Starts the source, builds once and follows; resolves after the signal aborts. Rejects only when the source cannot
   * start. To be called once.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { source, now, minBuildIntervalMs = MIN_BUILD_INTERVAL_MS } = this.#parts;
    source.onChange((change) => this.#hear(change));
    await untilAborted(source.start(signal), signal);
    const onAbort = (): void => this.#bell.ring();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#isRunning = true;
    this.#bell.ring();
    let nextMs = now();
    for (;;) {
      await this.#bell.wait();
      if (nextMs > now()) await pause(nextMs - now(), this.#after, signal);
      if (signal.aborted) break;
      nextMs = now() + minBuildIntervalMs;
      await this.#buildSafely(signal);
    }
    this.#isRunning = false;
    this.#cancelRetry?.();
    this.#status.stop();
  }

  #hear(change: ClusterChange): void {
    // Before the first build there is nothing to follow: it reads everything.
    if (!this.#isRunning) return;
    if (change.kind === "statuses") return this.#status.lookSoon();
    if (change.kind !== "routes") this.#hearService(change.service);
    const isBuildDue =
      change.kind === "routes" || (change.kind === "services" && this.#built?.services.has(change.service) !== false);
    if (isBuildDue || this.#failures > 0) this.#bell.ring();
  }

  /** A burst of changes to one Service within one turn is resolved once, still within that turn. */
  #hearService(service: string): void {
    if (this.#changedServices.size === 0) queueMicrotask(() => this.#followServices());
    this.#changedServices.add(service);
  }

  #followServices(): void {
    const services = [...this.#changedServices];
    this.#changedServices.clear();
    if (!this.#isRunning) return;
    this.#endpoints.retry();
    for (const service of services) this.#endpoints.serviceChanged(service);
    if (this.#endpoints.isBehind) this.#retryLater();
  }

  async #buildSafely(signal: AbortSignal): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const failuresBefore = this.#failures;
    try {
      this.#endpoints.retry();
      await this.#build(signal);
      if (this.#endpoints.isBehind) this.#retryLater();
    } catch (error) {
      this.#parts.log.error({ err: error }, "a build failed; the last good table keeps serving");
      this.#retryLater();
    }
    if (this.#failures === failuresBefore) this.#failures = 0;
  }

  async #build(signal: AbortSignal): Promise<void> {
    const { source, options, observer, now } = this.#parts;
    const startedMs = now();
    const turns = new Turns({ now, after: this.#after, signal });
    await this.#readAhead(turns, signal);
    if (signal.aborted) return;
    const graph = buildRouteGraph(source.snapshot(), options, this.#cache);
    this.#built = graph;
    await this.#endpoints.follow(graph.upstreams, turns);
    const hosts = this.#hostsToSend(graph);
    if (hosts.size > 0 && !(await this.#apply(hosts, signal))) return;
    if (signal.aborted) return;
    this.#liveHosts = graph.hosts;
    this.#doubtfulHosts.clear();
    this.#endpoints.forgetAllBut(graph.upstreams);
    this.#status.publish(graph);
    observer.programmed({
      generation: this.#generation,
      routes: graph.routes.size,
      rejectedRoutes: countRejected(graph),
      hostsChanged: hosts.size,
      buildMs: now() - startedMs,
    });
  }

  /** What takes long is done in turns, so that the short road stays short; what it is done for, in one: see readAhead. */
  async #readAhead(turns: Turns, signal: AbortSignal): Promise<void> {
    const { source, options } = this.#parts;
    for (const _ of readAhead(source.snapshot(), options, this.#cache)) {
      if (turns.isOver) await turns.next();
      if (signal.aborted) return;
    }
  }

  #hostsToSend(graph: RouteGraph): TableDelta["hosts"] {
    const changed = diffHosts(this.#liveHosts, graph.hosts);
    if (this.#doubtfulHosts.size === 0) return changed;
    const hosts = new Map(changed);
    for (const host of this.#doubtfulHosts) hosts.set(host, graph.hosts.get(host) ?? null);
    return hosts;
  }

  /** False: the data plane did not take it, and it is going to be tried again. */
  async #apply(hosts: TableDelta["hosts"], signal: AbortSignal): Promise<boolean> {
    this.#generation += 1;
    const delta: TableDelta = { generation: this.#generation, hosts };
    try {
      await untilAborted(this.#parts.dataPlane.applyTable(delta), signal);
      return true;
    } catch (error) {
      for (const host of hosts.keys()) this.#doubtfulHosts.add(host);
      this.#parts.log.warn(
        { err: error, generation: delta.generation },
        "a table was not taken; it will be tried again",
      );
      this.#retryLater();
      return false;
    }
  }

  #retryLater(): void {
    if (!this.#isRunning || this.#cancelRetry !== undefined) return;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS);
    this.#failures += 1;
    this.#cancelRetry = this.#after(delayMs, () => this.#bell.ring());
  }
}

function countRejected({ routes }: RouteGraph): number {
  let rejected = 0;
  for (const { conditions } of routes.values()) {
    if (conditions.some(({ type, status }) => type === "Accepted" && status === "False")) rejected += 1;
  }
  return rejected;
}
