import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { Log } from "../controller/index.ts";
import type { OwnListener } from "../proxy/index.ts";
import { createLogger, Metrics, ruleSlices } from "../telemetry/index.ts";
import type { ShutdownPlan } from "./config.ts";
import { serveDataPlane } from "./data-plane-receiver.ts";
import { createDataThread, type DataThread } from "./data-thread.ts";
import type { DataWorkerStart, WorkerOrder, WorkerReport } from "./data-worker-messages.ts";
import { guardTargets } from "./guard-targets.ts";
import { ListenError, listenOn } from "./listen.ts";
import { LogRelay } from "./log-relay.ts";
import { drain, drainOf } from "./shutdown.ts";

/** A data thread beside the main one: serves clients on the same port, and does what the main thread orders. */
class DataWorkerThread {
  readonly #port: MessagePort;
  readonly #sink: LogRelay;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #data: DataThread;
  readonly #listeners: OwnListener[];
  readonly #cut = new AbortController();
  #control: MessagePort | undefined;
  #isLeaving = false;

  constructor(port: MessagePort, start: DataWorkerStart) {
    const { thread, config, pseudonym, isTerminal } = start;
    this.#port = port;
    this.#listeners = [...start.listeners];
    this.#sink = new LogRelay({ send: (lines) => this.#tell({ kind: "log", lines }) });
    const { logLevel: level, logFormat: format } = config;
    this.#log = createLogger({ level, format, sink: this.#sink, isTerminal, thread });
    this.#metrics = new Metrics({ thread, nextTurn, wallClock: Date.now });
    this.#data = createDataThread({
      config,
      pseudonym,
      log: this.#log,
      reportLog: this.#log,
      metrics: this.#metrics,
      droppedLogLines: () => this.#sink.droppedLines,
      isForbidden: guardTargets(config.source, () => this.#listeners),
      now,
      random: Math.random,
    });
    // Also when it ends by an error: what it had to say until then.
    process.once("exit", () => this.#sink.flush());
    port.on("message", (order: WorkerOrder) => void this.#obey(order));
  }

  async #obey(order: WorkerOrder): Promise<void> {
    switch (order.kind) {
      case "control":
        return this.#follow(order.port);
      case "listen":
        return this.#listen(order.at);
      case "count":
        return this.#count();
      case "logged":
        return this.#sink.acknowledged();
      case "drain":
        return this.#drain(order.plan);
      case "cut":
        return this.#cut.abort();
      case "close":
        return this.#close();
    }
  }

  #follow(control: MessagePort): void {
    // What the one before had still under way must not mix with what this one says.
    this.#control?.removeAllListeners("message").close();
    this.#control = control;
    serveDataPlane(control, this.#data.receiver);
  }

  async #listen(at: OwnListener): Promise<void> {
    this.#listeners.push(at);
    await this.#data.hasTable;
    if (this.#isLeaving) return;
    const { proxy } = this.#data;
    try {
      await listenOn(
        (place) => proxy.listen({ ...place, sharing: "port" }),
        { host: at.address, port: at.port },
        "--http",
      );
      this.#tell({ kind: "listening" });
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      this.#tell({ kind: "cannotListen", text: error.message });
      await this.#close();
    }
  }

  /** Of thousands of rules, in portions: neither thread is to be kept from its tunnels. */
  async #count(): Promise<void> {
    const { rules, ...counts } = await this.#metrics.collect();
    for (const slice of ruleSlices(rules)) {
      this.#tell({ kind: "rules", rules: slice });
      await nextTurn();
    }
    this.#tell({ kind: "counts", counts: { ...counts, rules: [] } });
  }

  async #drain(plan: ShutdownPlan): Promise<void> {
    this.#isLeaving = true;
    const target = drainOf(this.#data.proxy);
    await drain({ plan, target, log: this.#log, now, sleep: (ms) => sleep(ms), cut: this.#cut.signal });
    this.#tell({ kind: "drained" });
  }

  /** Ends everything, and with the last of its handles the thread. */
  async #close(): Promise<void> {
    this.#isLeaving = true;
    await this.#data.proxy.close();
    this.#data.wheel.stop();
    this.#metrics.stop();
    this.#control?.close();
    this.#sink.flush();
    this.#port.close();
  }

  #tell(report: WorkerReport): void {
    this.#port.postMessage(report);
  }
}

function now(): number {
  return performance.now();
}

if (parentPort === null) throw new Error("this module is the entry of a worker");
new DataWorkerThread(parentPort, workerData as DataWorkerStart);
