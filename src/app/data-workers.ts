import { setTimeout as sleep } from "node:timers/promises";
import type { MessagePort } from "node:worker_threads";
import type { OwnListener } from "../proxy/index.ts";
import { METRICS, type Metrics, type ThreadCounts } from "../telemetry/index.ts";
import type { ShutdownPlan } from "./config.ts";
import type { DataWorkerStart } from "./data-worker-messages.ts";
import { DataWorkerSupervisor, type DataWorkerSupervisorOptions } from "./data-worker-supervisor.ts";
import { LAST_WORDS_MS } from "./shutdown.ts";

/** A scrape waits no longer for a thread. */
const COUNT_TIMEOUT_MS = 1_000;
/** How long after the end of the plan a thread may still say that it is done. */
const LATE_MS = 1_000;

export interface DataWorkersOptions
  extends Pick<DataWorkerSupervisorOptions, "entry" | "log" | "sink" | "now" | "random"> {
  readonly start: Omit<DataWorkerStart, "thread" | "listeners">;
  /** Of the main thread, which is scraped for all of them. */
  readonly metrics: Metrics;
  /** One was started again: the control thread has to say everything again. */
  readonly onRestart: () => void;
}

/** The data threads beside the main one, as it sees them; none, unless more than one is asked for. */
export class DataWorkers {
  readonly #options: DataWorkersOptions;
  #workers: readonly DataWorkerSupervisor[] = [];

  constructor(options: DataWorkersOptions) {
    this.#options = options;
  }

  /** Whether the port is shared. */
  get areThere(): boolean {
    return this.#options.start.config.dataThreads > 1;
  }

  /** Starts them all. `listeners`: what the process listens on already. */
  start(listeners: readonly OwnListener[]): void {
    if (!this.areThere) return;
    const { start, metrics, onRestart } = this.#options;
    this.#workers = Array.from({ length: start.config.dataThreads - 1 }, (_, index) => {
      return new DataWorkerSupervisor({
        ...this.#options,
        start: { ...start, thread: index + 1, listeners: [...listeners] },
        onLost: (counts) => {
          if (counts !== undefined) metrics.inherit(counts);
        },
        onRestart: () => {
          metrics.increment(METRICS.dataRestarts);
          onRestart();
        },
      });
    });
    metrics.sumWith(() => this.#counts());
    for (const worker of this.#workers) worker.start();
  }

  /** For a control thread that is being started: its ends of new roads to all that run. */
  connect(): readonly MessagePort[] {
    return this.#workers.flatMap((worker) => worker.connect() ?? []);
  }

  /** Resolves when all listen; rejects with a ListenError. */
  async listen(at: OwnListener): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.listen(at)));
  }

  /** The same plan on each, over its own tunnels. One that says nothing is waited for until the plan must be over. */
  async drain(plan: ShutdownPlan, cut: AbortSignal): Promise<void> {
    const cutAll = (): void => {
      for (const worker of this.#workers) worker.cut();
    };
    if (cut.aborted) cutAll();
    cut.addEventListener("abort", cutAll);
    const tooLate = new AbortController();
    const limit = sleep(plan.deadlineMs + LAST_WORDS_MS + LATE_MS, undefined, { signal: tooLate.signal });
    await Promise.race([Promise.all(this.#workers.map((worker) => worker.drain(plan))), limit]);
    limit.catch(() => {});
    tooLate.abort();
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  /** One that does not answer in time is shown as it told last, since a sum that shrinks would look like a restart. */
  async #counts(): Promise<readonly ThreadCounts[]> {
    await Promise.all(this.#workers.map((worker) => this.#count(worker)));
    return this.#workers.flatMap((worker) => worker.lastCounts ?? []);
  }

  async #count(worker: DataWorkerSupervisor): Promise<void> {
    const timer = new AbortController();
    const tooLong = sleep(COUNT_TIMEOUT_MS, "late" as const, { signal: timer.signal }).catch(() => "late" as const);
    const answer = await Promise.race([worker.count(), tooLong]);
    timer.abort();
    if (answer !== "late") return;
    const { thread } = worker;
    this.#options.log.warn({ thread }, "a data thread did not tell its counts in time; those of before are shown");
  }
}
