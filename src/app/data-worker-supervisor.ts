import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Log } from "../controller/index.ts";
import type { OwnListener } from "../proxy/index.ts";
import type { ThreadCounts } from "../telemetry/index.ts";
import type { ShutdownPlan } from "./config.ts";
import type { DataWorkerStart, WorkerOrder, WorkerReport } from "./data-worker-messages.ts";
import { ListenError } from "./listen.ts";
import { RestartBackOff } from "./restart-back-off.ts";

export interface DataWorkerSupervisorOptions {
  /** The module that the thread runs. */
  readonly entry: URL;
  readonly start: DataWorkerStart;
  /** Of the main thread. */
  readonly log: Log;
  /** Takes the lines that the worker logs, their ends included. */
  readonly sink: { write(line: string): void };
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** 0 to below 1; for jitter. */
  readonly random: () => number;
  /** It ended unasked. What it had counted by the last scrape, if there was one. */
  readonly onLost: (counts: ThreadCounts | undefined) => void;
  /** It was started again, and knows no table yet. */
  readonly onRestart: () => void;
}

/**
 * Keeps one data worker running. When it ends unasked its tunnels are lost; another one is started in its place after a
 * pause that grows.
 */
export class DataWorkerSupervisor {
  readonly #options: DataWorkerSupervisorOptions;
  readonly #backOff: RestartBackOff;
  readonly #firstListening = Promise.withResolvers<void>();
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #listener: OwnListener | undefined;
  #lastCounts: ThreadCounts | undefined;
  /** Portions of the counts that are under way. */
  #rules: ThreadCounts["rules"][] = [];
  #counting: PromiseWithResolvers<void> | undefined;
  #draining: PromiseWithResolvers<void> | undefined;
  #isLeaving = false;

  constructor(options: DataWorkerSupervisorOptions) {
    this.#options = options;
    this.#backOff = new RestartBackOff(options.random);
    // Whoever waits hears of it; nobody may.
    this.#firstListening.promise.catch(() => {});
  }

  get thread(): number {
    return this.#options.start.thread;
  }

  start(): void {
    const { entry, start, log, now } = this.#options;
    const { thread } = start;
    const startedAtMs = now();
    const worker = new Worker(entry, { workerData: start, name: `data-${thread}` });
    this.#worker = worker;
    worker.on("error", (error) => log.error({ thread, err: error }, "a data thread failed"));
    worker.on("messageerror", (error) => log.error({ thread, err: error }, "a message of a data thread is unreadable"));
    worker.on("message", (report: WorkerReport) => this.#hear(report));
    worker.on("exit", (code) => this.#exited(code, now() - startedAtMs));
    if (this.#listener !== undefined) this.#tell({ kind: "listen", at: this.#listener });
  }

  /** The control thread's end of a new road to this thread; undefined while it does not run. */
  connect(): MessagePort | undefined {
    if (this.#worker === undefined) return undefined;
    const { port1, port2 } = new MessageChannel();
    this.#worker.postMessage({ kind: "control", port: port1 } satisfies WorkerOrder, [port1]);
    return port2;
  }

  /** Resolves when it listens for the first time, which needs a table; rejects with a ListenError. */
  listen(at: OwnListener): Promise<void> {
    this.#listener = at;
    this.#tell({ kind: "listen", at });
    return this.#firstListening.promise;
  }

  /** Resolves when it has told what it counted; see `lastCounts`. */
  count(): Promise<void> {
    if (this.#worker === undefined) return Promise.resolve();
    if (this.#counting === undefined) {
      this.#counting = Promise.withResolvers();
      this.#tell({ kind: "count" });
    }
    return this.#counting.promise;
  }

  /** What it counted, as it told last; undefined while it does not run. */
  get lastCounts(): ThreadCounts | undefined {
    return this.#lastCounts;
  }

  /** The planned end of its tunnels; resolves when it is over. */
  async drain(plan: ShutdownPlan): Promise<void> {
    this.#leave();
    if (this.#worker === undefined) return;
    this.#draining = Promise.withResolvers();
    this.#tell({ kind: "drain", plan });
    await this.#draining.promise;
  }

  /** A drain that is under way is over at once. */
  cut(): void {
    this.#tell({ kind: "cut" });
  }

  /** Ends the thread with all it holds. */
  async close(): Promise<void> {
    this.#leave();
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    this.#tell({ kind: "close" });
    await ended;
  }

  #leave(): void {
    this.#isLeaving = true;
    clearTimeout(this.#timer);
  }

  #tell(order: WorkerOrder): void {
    this.#worker?.postMessage(order);
  }

  #hear(report: WorkerReport): void {
    const { log, sink, start } = this.#options;
    const { thread } = start;
    switch (report.kind) {
      case "listening":
        log.info({ thread }, "a data thread listens");
        return this.#firstListening.resolve();
      case "cannotListen":
        log.error({ thread, detail: report.text }, "a data thread cannot listen");
        return this.#firstListening.reject(new ListenError(report.text));
      case "rules":
        this.#rules.push(report.rules);
        return;
      case "counts":
        this.#lastCounts = { ...report.counts, rules: this.#rules.splice(0).flat() };
        return this.#counted();
      case "log":
        for (const line of report.lines) sink.write(line);
        return this.#tell({ kind: "logged" });
      case "drained":
        return this.#draining?.resolve();
    }
  }

  #counted(): void {
    this.#counting?.resolve();
    this.#counting = undefined;
  }

  #exited(code: number, livedMs: number): void {
    const { log, onLost, onRestart, start } = this.#options;
    const counts = this.#lastCounts;
    this.#worker = undefined;
    this.#lastCounts = undefined;
    this.#rules = [];
    this.#counted();
    this.#draining?.resolve();
    if (this.#isLeaving) return;
    const delayMs = this.#backOff.after(livedMs);
    log.error(
      { thread: start.thread, exitCode: code, livedMs: Math.round(livedMs), restartInMs: delayMs },
      "a data thread ended, and its tunnels with it; the others serve, and it is started again",
    );
    onLost(counts);
    this.#timer = setTimeout(() => {
      this.start();
      onRestart();
    }, delayMs);
  }
}
