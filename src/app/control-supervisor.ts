import { Worker } from "node:worker_threads";
import type { Log } from "../controller/index.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import { type DataPlaneReceiver, serveDataPlane } from "./data-plane-receiver.ts";
import { RestartBackOff } from "./restart-back-off.ts";
import type { DataMessage } from "./thread-messages.ts";

/** How long a thread may take to end when asked. */
const STOP_TIMEOUT_MS = 1_000;

export interface ControlSupervisorOptions {
  /** The module that the thread runs. */
  readonly entry: URL;
  readonly config: ControlThreadConfig;
  readonly receiver: DataPlaneReceiver;
  readonly log: Log;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** 0 to below 1; for jitter. */
  readonly random: () => number;
  readonly onRestart: () => void;
}

/**
 * Keeps one control thread running. When it ends unasked, what it said last stays in force and another one is started
 * after a pause that grows.
 */
export class ControlSupervisor {
  readonly #options: ControlSupervisorOptions;
  readonly #backOff: RestartBackOff;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;
  #isLeaving = false;

  constructor(options: ControlSupervisorOptions) {
    this.#options = options;
    this.#backOff = new RestartBackOff(options.random);
  }

  start(): void {
    const { entry, config, receiver, log, now } = this.#options;
    const startedAtMs = now();
    const worker = new Worker(entry, { workerData: config, name: "control" });
    this.#worker = worker;
    worker.on("error", (error) => log.error({ err: error }, "the control thread failed"));
    worker.on("messageerror", (error) => log.error({ err: error }, "a message of the control thread is unreadable"));
    worker.on("exit", (code) => this.#exited(code, now() - startedAtMs));
    serveDataPlane(worker, receiver);
    if (this.#isLeaving) this.#tell({ kind: "leaving" });
  }

  /** Tells the thread that the process is going to end, so that another replica can take over its duties. */
  leave(): void {
    this.#isLeaving = true;
    this.#tell({ kind: "leaving" });
  }

  /** Ends the thread: asks it first, so that it closes what it holds. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    this.#tell({ kind: "stop" });
    const tooLong = setTimeout(() => void worker.terminate(), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(tooLong);
  }

  #tell(message: DataMessage): void {
    this.#worker?.postMessage(message);
  }

  #exited(code: number, livedMs: number): void {
    this.#worker = undefined;
    if (this.#isStopping) return;
    const delayMs = this.#backOff.after(livedMs);
    this.#options.log.error(
      { exitCode: code, livedMs: Math.round(livedMs), restartInMs: delayMs },
      "the control thread ended; what it said last is served, and it is started again",
    );
    this.#timer = setTimeout(() => {
      this.#options.onRestart();
      this.start();
    }, delayMs);
  }
}
