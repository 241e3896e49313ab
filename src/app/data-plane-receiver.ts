import type { TableHolder, UpstreamKey } from "../routing/index.ts";
import type { UpstreamRegistry } from "../upstream/index.ts";
import { type CensusChange, RuleCensus } from "./rule-census.ts";
import type { ControlMessage, HostPart, Report, DataEnd } from "./thread-messages.ts";

export interface DataPlaneTargets {
  readonly registry: Pick<UpstreamRegistry, "setEndpoints" | "keys">;
  readonly holder: Pick<TableHolder, "stage" | "extend" | "discard" | "commit" | "current">;
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
  /** How many pieces each host's list has, by the census; of a torn one those that came. */
  readonly #pieces = new Map<string, number>();
  /** Of the host whose list is under way; 0 between two lists. */
  #nextPiece = 0;

  constructor(targets: DataPlaneTargets) {
    this.#targets = targets;
  }

  receive(message: ControlMessage): void {
    switch (message.kind) {
      case "begin":
        this.#reset = { hosts: new Set(), upstreams: new Set() };
        this.#generationBase = this.#targets.holder.current.generation;
        // What the one before had said of a table it never committed.
        this.#targets.holder.discard();
        this.#nextPiece = 0;
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

  /** Each part is indexed and counted as it comes: a list of thousands at once would keep this thread too long. */
  #stage({ pattern, entries, hasMore }: HostPart): void {
    const { holder } = this.#targets;
    const piece = this.#nextPiece;
    if (piece === 0) holder.stage(new Map([[pattern, entries]]));
    else holder.extend(entries ?? []);
    this.#census.stage(pieceKey(pattern, piece), entries);
    const known = Math.max(this.#pieces.get(pattern) ?? 0, piece + 1);
    this.#pieces.set(pattern, known);
    this.#nextPiece = hasMore ? piece + 1 : 0;
    if (hasMore) return;
    for (let old = piece + 1; old < known; old++) this.#census.stage(pieceKey(pattern, old), null);
    if (entries === null) this.#pieces.delete(pattern);
    else this.#pieces.set(pattern, piece + 1);
    this.#reset?.hosts.add(pattern);
  }

  #commit(generation: number): void {
    const { registry, holder, onCommit } = this.#targets;
    const reset = this.#reset;
    this.#reset = undefined;
    if (reset !== undefined) {
      const unnamed = [...this.#pieces.keys()].filter((pattern) => !reset.hosts.has(pattern));
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

/** What a piece of a host's list is counted under; no pattern holds a space. */
function pieceKey(pattern: string, piece: number): string {
  return piece === 0 ? pattern : `${pattern} ${piece}`;
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
