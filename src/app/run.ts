import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { AdminServer } from "../admin/index.ts";
import type { OwnListener } from "../proxy/index.ts";
import { createLogger, METRICS, Metrics } from "../telemetry/index.ts";
import type { Log } from "../controller/index.ts";
import type { Config, ShutdownPlan } from "./config.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import { ControlSupervisor } from "./control-supervisor.ts";
import { createDataThread, type DataThread } from "./data-thread.ts";
import { DataWorkers } from "./data-workers.ts";
import { guardTargets } from "./guard-targets.ts";
import { listenOn, sharing } from "./listen.ts";
import { LogSink } from "./log-sink.ts";
import { proxyManifests } from "./proxy-manifests.ts";
import { graphOptions } from "./graph-options.ts";
import { drain, drainOf } from "./shutdown.ts";
import { type EndSignal, onEndSignals } from "./signals.ts";

/** Ctrl-C at a terminal: no balancer waits for a grace, and a person does. */
const INTERRUPT_PLAN: ShutdownPlan = { graceMs: 0, deadlineMs: 2_000, spreadMs: 2_000 };
/** How long the last sockets may take to close. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Runs Holdfast until it is told to end; resolves when everything is closed. Rejects with a ListenError when a port
 * cannot be had.
 */
export async function runHoldfast(config: Config): Promise<void> {
  const sink = new LogSink({ destination: process.stdout.fd });
  // Whatever ends the process: what waits is written.
  process.once("exit", () => sink.end());
  const run = new Run(config, sink);
  try {
    await run.start();
    await run.end();
  } finally {
    await run.close();
    sink.end();
  }
}

function now(): number {
  return performance.now();
}

/** One life of the process, from the first port to the last socket. */
class Run {
  readonly #config: Config;
  /** Of the process. */
  readonly #log: Log;
  /** Of what clients do on this thread. */
  readonly #dataLog: Log;
  readonly #metrics = new Metrics({ thread: 0, nextTurn, wallClock: Date.now });
  readonly #data: DataThread;
  readonly #workers: DataWorkers;
  readonly #control: ControlSupervisor;
  readonly #admin: AdminServer;
  readonly #signals = onEndSignals(process);
  readonly #listeners: OwnListener[] = [];
  #isReady = false;

  constructor(config: Config, sink: LogSink) {
    this.#config = config;
    const isTerminal = process.stdout.isTTY === true;
    const logger = { level: config.logLevel, format: config.logFormat, sink, isTerminal };
    const log = createLogger(logger);
    this.#log = log;
    this.#dataLog = config.dataThreads > 1 ? createLogger({ ...logger, thread: 0 }) : log;
    const metrics = this.#metrics;
    const pseudonym = `holdfast-${randomBytes(4).toString("hex")}`;
    const common = { now, random: Math.random };
    this.#data = createDataThread({
      ...common,
      config,
      pseudonym,
      log: this.#dataLog,
      reportLog: log,
      metrics,
      droppedLogLines: () => sink.droppedLines,
      isForbidden: guardTargets(config.source, () => this.#listeners),
    });
    this.#workers = new DataWorkers({
      ...common,
      entry: entry("data-worker"),
      start: { config, pseudonym, isTerminal },
      log,
      sink,
      metrics,
      onRestart: () => void this.#control.renew(),
    });
    this.#control = new ControlSupervisor({
      ...common,
      entry: entry("control-thread"),
      config: controlConfig(config),
      receiver: this.#data.receiver,
      connect: () => this.#workers.connect(),
      log,
      onRestart: () => metrics.increment(METRICS.controlRestarts),
    });
    this.#admin = new AdminServer({
      isReady: () => this.#isReady,
      metrics: () => metrics.render(),
      metricsContentType: metrics.contentType,
      onError: (error) => log.error({ err: error }, "the admin port failed"),
    });
  }

  /** Admin at once, clients after the first table: before it, every answer would be a wrong 404. */
  async start(): Promise<void> {
    const { admin, http, version, dataThreads } = this.#config;
    this.#log.info({ version, dataThreads, node: process.version, pid: process.pid }, "holdfast starts");
    if (admin !== "off") {
      const bound = await listenOn((at) => this.#admin.listen(at), admin, "--admin");
      this.#listeners.push(bound);
      this.#log.info({ listener: "admin", ...bound }, "listening");
    }
    this.#workers.start(this.#listeners);
    this.#control.start();
    await Promise.race([this.#data.hasTable, this.#signals.first]);
    if (this.#signals.received !== undefined) return;
    const { proxy } = this.#data;
    const alone = proxy.listen.bind(proxy);
    const bound = await listenOn(this.#workers.areThere ? sharing(alone) : alone, http, "--http");
    this.#listeners.push(bound);
    await Promise.race([this.#workers.listen(bound), this.#signals.first]);
    if (this.#signals.received !== undefined) return;
    this.#isReady = true;
    this.#log.info({ listener: "http", ...bound }, "listening");
  }

  /** Waits for a signal and then for the tunnels. */
  async end(): Promise<void> {
    const signal = await this.#signals.first;
    this.#isReady = false;
    this.#log.info({ signal }, "signal received");
    this.#control.leave();
    const { proxy } = this.#data;
    if (proxy.listeners.length === 0) return;
    const plan = planFor(signal, this.#config.shutdown);
    const cut = this.#signals.second;
    await Promise.all([
      drain({ plan, target: drainOf(proxy), log: this.#dataLog, now, sleep: (ms) => sleep(ms), cut }),
      this.#workers.drain(plan, cut),
    ]);
  }

  /** Closes everything, whatever state it is in. */
  async close(): Promise<void> {
    this.#signals.dispose();
    const threads = [this.#data.proxy.close(), this.#workers.close(), this.#control.stop()];
    const closed = Promise.all([...threads, this.#admin.stop()]);
    await Promise.race([closed, sleep(CLOSE_TIMEOUT_MS)]);
    this.#data.wheel.stop();
    this.#metrics.stop();
  }
}

function planFor(signal: EndSignal, plan: ShutdownPlan): ShutdownPlan {
  return signal === "SIGINT" ? INTERRUPT_PLAN : plan;
}

/** A thread's module, beside this file: as source or compiled. */
function entry(name: string): URL {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`./${name}${extension}`, import.meta.url);
}

function controlConfig(config: Config): ControlThreadConfig {
  const { source, version, dnsIntervalMs, logLevel } = config;
  const common = { version, graph: graphOptions(config), dnsIntervalMs, logLevel };
  if (source.kind === "proxy") return { ...common, source: { kind: "manifests", manifests: proxyManifests(source) } };
  return { ...common, source };
}
