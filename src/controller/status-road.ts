import type { NamespacedName, RouteGraph } from "../graph/index.ts";
import { diffStatus, type RouteStatus } from "../status/index.ts";
import type { After, Log, StatusWriter } from "./types.ts";

export interface StatusRoadParts {
  readonly writer: StatusWriter;
  readonly log: Log;
  readonly after: After;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

/**
 * Writes what conditions say, one write at a time and beside the loop: a slow writer holds up no table. While one is
 * under way only the newest graph waits. What could not be written still differs and is tried again with the next graph,
 * or after a while without one.
 */
export class StatusRoad {
  readonly #parts: StatusRoadParts;
  readonly #written = new Map<NamespacedName, RouteStatus>();
  #next: RouteGraph | undefined;
  #isWriting = false;
  #isStopped = false;
  #failures = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: StatusRoadParts) {
    this.#parts = parts;
  }

  publish(graph: RouteGraph): void {
    if (this.#isStopped) return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#next = graph;
    if (!this.#isWriting) void this.#writeAll();
  }

  /** A write under way is left alone; none begins any more. */
  stop(): void {
    this.#isStopped = true;
    this.#next = undefined;
    this.#cancelRetry?.();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    let failed: RouteGraph | undefined;
    while (this.#next !== undefined) {
      const graph = this.#next;
      this.#next = undefined;
      failed = (await this.#write(graph)) ? undefined : graph;
    }
    this.#isWriting = false;
    if (failed !== undefined) this.#retryLater(failed);
  }

  async #write(graph: RouteGraph): Promise<boolean> {
    const { writer, log } = this.#parts;
    try {
      const patches = diffStatus(graph, this.#written);
      if (patches.length > 0) await writer.write(patches);
      for (const patch of patches) this.#written.set(patch.route, patch);
      for (const route of this.#written.keys()) if (!graph.routes.has(route)) this.#written.delete(route);
      this.#failures = 0;
      return true;
    } catch (error) {
      log.warn({ err: error }, "conditions could not be written; they will be tried again");
      return false;
    }
  }

  #retryLater(graph: RouteGraph): void {
    if (this.#isStopped) return;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS);
    this.#failures += 1;
    this.#cancelRetry = this.#parts.after(delayMs, () => this.publish(graph));
  }
}
