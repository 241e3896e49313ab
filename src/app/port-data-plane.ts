import type { DataPlane } from "../controller/index.ts";
import type { Endpoint, TableDelta, UpstreamKey } from "../routing/index.ts";
import type { ReportQueue } from "./report-queue.ts";
import { tableParts } from "./table-parts.ts";
import type { ControlMessage, DataMessage, HostPart, ControlEnd } from "./thread-messages.ts";

/** What one message may hold, so that the data thread spends about 2 ms on it. */
export interface MessageLimits {
  readonly maxEndpoints: number;
  readonly maxUpstreams: number;
  readonly maxHosts: number;
  readonly maxEntries: number;
  readonly maxReports: number;
}

const DEFAULT_LIMITS: MessageLimits = {
  maxEndpoints: 400,
  maxUpstreams: 100,
  maxHosts: 100,
  maxEntries: 100,
  maxReports: 50,
};

interface PendingEndpoints {
  readonly endpoints: readonly Endpoint[] | null;
  /** May be sent once that many tables are live. */
  readonly afterTables: number;
}

interface PendingTable {
  readonly generation: number;
  readonly parts: Iterator<readonly HostPart[]>;
  readonly resolve: () => void;
}

/**
 * The control thread's end of the road. One message is under way at a time and the next one waits for its
 * acknowledgement: a MessagePort delivers everything queued in one turn of the event loop, which would stall tunnels.
 * Endpoints are coalesced by upstream and go before everything else, so they are live before any table given later;
 * an upstream that no rule names any more (null) goes only after the tables given before.
 */
export class PortDataPlane implements DataPlane {
  readonly #port: ControlEnd;
  readonly #reports: ReportQueue;
  readonly #limits: MessageLimits;
  readonly #endpoints = new Map<UpstreamKey, PendingEndpoints>();
  readonly #tables: PendingTable[] = [];
  #tablesGiven = 0;
  #tablesLive = 0;
  /** The commit that is under way, or undefined. */
  #committing: PendingTable | undefined;
  #isWaiting = false;

  constructor(port: ControlEnd, reports: ReportQueue, limits: Partial<MessageLimits> = {}) {
    this.#port = port;
    this.#reports = reports;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    port.on("message", (message: DataMessage) => {
      if (message.kind === "ack") this.#acknowledged();
    });
    reports.onPush(() => this.#pump());
    this.#send({ kind: "begin" });
  }

  /** Resolves when new requests are answered by the table. */
  applyTable(delta: TableDelta): Promise<void> {
    this.#tablesGiven++;
    return new Promise((resolve) => {
      this.#tables.push({ generation: delta.generation, parts: tableParts(delta.hosts, this.#limits), resolve });
      this.#pump();
    });
  }

  /**
   * The first build is done. When it gave no table, since no route asks for one, an empty one is committed: the data
   * thread waits for a first table, and what an earlier control thread said has to go.
   */
  firstBuilt(): void {
    if (this.#tablesGiven === 0) void this.applyTable({ generation: 0, hosts: new Map() });
  }

  setEndpoints(upstream: UpstreamKey, endpoints: readonly Endpoint[] | null): void {
    const afterTables = endpoints === null ? this.#tablesGiven : 0;
    // Deleted first, so that whoever changes most often does not keep the head of the queue.
    this.#endpoints.delete(upstream);
    this.#endpoints.set(upstream, { endpoints, afterTables });
    this.#pump();
  }

  #acknowledged(): void {
    this.#isWaiting = false;
    const committed = this.#committing;
    if (committed !== undefined) {
      this.#committing = undefined;
      this.#tablesLive++;
      committed.resolve();
    }
    this.#pump();
  }

  #pump(): void {
    if (this.#isWaiting) return;
    const message = this.#nextEndpoints() ?? this.#nextReports() ?? this.#nextOfTable();
    if (message !== undefined) this.#send(message);
  }

  #send(message: ControlMessage): void {
    this.#isWaiting = true;
    this.#port.postMessage(message);
  }

  #nextEndpoints(): ControlMessage | undefined {
    const updates: [UpstreamKey, readonly Endpoint[] | null][] = [];
    let room = this.#limits.maxEndpoints;
    for (const [upstream, { endpoints, afterTables }] of this.#endpoints) {
      if (afterTables > this.#tablesLive) continue;
      const size = endpoints?.length ?? 0;
      // A list cannot be cut: one that is longer than a message goes alone.
      if (updates.length > 0 && size > room) break;
      this.#endpoints.delete(upstream);
      updates.push([upstream, endpoints]);
      room -= size;
      if (room <= 0 || updates.length >= this.#limits.maxUpstreams) break;
    }
    return updates.length === 0 ? undefined : { kind: "endpoints", updates };
  }

  #nextReports(): ControlMessage | undefined {
    if (this.#reports.isEmpty) return undefined;
    return { kind: "reports", reports: this.#reports.take(this.#limits.maxReports) };
  }

  #nextOfTable(): ControlMessage | undefined {
    const table = this.#tables[0];
    if (table === undefined) return undefined;
    const next = table.parts.next();
    if (next.done !== true) return { kind: "stage", hosts: next.value };
    this.#tables.shift();
    this.#committing = table;
    return { kind: "commit", generation: table.generation };
  }
}
