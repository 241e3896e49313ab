import type { CompiledEntry, TableHolder, UpstreamKey } from "../routing/index.ts";
import type { UpstreamRegistry } from "../upstream/index.ts";
import { type CensusChange, RuleCensus } from "./rule-census.ts";
import type { ControlMessage, HostPart, Report, DataEnd } from "./thread-messages.ts";

export interface DataPlaneTargets {
  readonly registry: Pick<UpstreamRegistry, "setEndpoints" | "keys">;
  readonly holder: Pick<TableHolder, "stage" | "commit" | "current">;
  /** After each commit. */
  readonly onCommit: (change: CensusChange) => void;
  readonly onReport: (report: Report) => void;
}

/** What a new control thread has named until its first commit. */
interface Reset {
  readonly hosts: Set<string>;
  readonly upstreams: Set<UpstreamKey>;
}

/**
 * Does on the data thread what the control thread says. Outlives control threads: when a new one begins, what the one
 * before said stays in force until the first commit of the new one, and then only what that one never named goes.
 */
export class DataPlaneReceiver {
  readonly #targets: DataPlaneTargets;
  readonly #census = new RuleCensus();
  #reset: Reset | undefined;
  /** Added to the generations of this control thread, each of which begins anew. */
  #generationBase = 0;
  /** The list of a host that comes in several parts. */
  #partial: CompiledEntry[] = [];

  constructor(targets: DataPlaneTargets) {
    this.#targets = targets;
  }

  receive(message: ControlMessage): void {
    switch (message.kind) {
      case "begin":
        this.#reset = { hosts: new Set(), upstreams: new Set() };
        this.#generationBase = this.#targets.holder.current.generation;
        this.#partial = [];
        return;
      case "endpoints":
        for (const [upstream, endpoints] of message.updates) {
          this.#reset?.upstreams.add(upstream);
          this.#targets.registry.setEndpoints(upstream, endpoints);
        }
        return;
      case "stage":
        for (const part of message.hosts) this.#stage(part);
        return;
      case "commit":
        this.#commit(this.#generationBase + message.generation);
        return;
      case "reports":
        for (const report of message.reports) this.#targets.onReport(report);
        return;
    }
  }

  #stage({ pattern, entries, hasMore }: HostPart): void {
    if (entries !== null && (hasMore || this.#partial.length > 0)) {
      this.#partial.push(...entries);
      if (hasMore) return;
      entries = this.#partial;
      this.#partial = [];
    }
    this.#reset?.hosts.add(pattern);
    this.#census.stage(pattern, entries);
    this.#targets.holder.stage(new Map([[pattern, entries]]));
  }

  #commit(generation: number): void {
    const { registry, holder, onCommit } = this.#targets;
    const reset = this.#reset;
    this.#reset = undefined;
    if (reset !== undefined) {
      const unnamed = [...this.#census.hosts()].filter((pattern) => !reset.hosts.has(pattern));
      for (const pattern of unnamed) this.#stage({ pattern, entries: null, hasMore: false });
    }
    holder.commit(generation);
    if (reset !== undefined) {
      const unnamed = [...registry.keys()].filter((upstream) => !reset.upstreams.has(upstream));
      for (const upstream of unnamed) registry.setEndpoints(upstream, null);
    }
    onCommit(this.#census.commit());
  }
}

/**
 * Serves one control thread's port. The acknowledgement leaves in the check phase, so that between two messages the
 * event loop has looked at every socket once.
 */
export function serveDataPlane(port: DataEnd, receiver: DataPlaneReceiver): void {
  port.on("message", (message: ControlMessage) => {
    receiver.receive(message);
    setImmediate(() => port.postMessage({ kind: "ack" }));
  });
}
