import { hostname, networkInterfaces } from "node:os";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { AdminServer } from "../admin/index.ts";
import { type ForbiddenCheck, forbiddenTargets, type OwnListener } from "../proxy/index.ts";
import { createLogger, METRICS, Metrics, type PlainLines, plainLines } from "../telemetry/index.ts";
import type { Log } from "../controller/index.ts";
import type { AffinityKeys } from "../upstream/index.ts";
import { AffinityKeyWatch } from "./affinity-key-watch.ts";
import type { Config, ShutdownPlan } from "./config.ts";
import type { ControlThreadConfig } from "./control-config.ts";
import { ControlSupervisor } from "./control-supervisor.ts";
import { createDataThread, type DataThread, type DataThreadOptions } from "./data-thread.ts";
import { listenOn } from "./listen.ts";
import { listenOnSocket } from "./listen-socket.ts";
import { LogSink } from "./log-sink.ts";
import { type ProcessBounds, processBounds, readProcessLimits, tellBounds } from "./process-bounds.ts";
import { proxyManifests } from "./proxy-manifests.ts";
import { graphOptions } from "./graph-options.ts";
import { ThreadOperations } from "./operations.ts";
import { replicaName } from "./replica-name.ts";
import { shutDown, shutdownTarget } from "./shutdown.ts";
import { type EndSignal, onEndSignals } from "./signals.ts";

/** Ctrl-C at a terminal: no balancer waits for a grace, and a person does. */
const INTERRUPT_PLAN: ShutdownPlan = { graceMs: 0, deadlineMs: 2_000 };
/** How long the last sockets may take to close. */
const CLOSE_TIMEOUT_MS = 1_000;
/** How often the key for affinity is read again. */
const KEY_CHECK_MS = 5_000;

/**
 * Runs Holdfast until it is told to end; resolves when everything is closed. Rejects with a ListenError when a port
 * cannot be had, with an AffinityKeyError when the key that a flag names is none.
 */
export async function runHoldfast(config: Config): Promise<void> {
  const sink = new LogSink({ destination: process.stdout.fd });
  // Whatever ends the process: what waits is written.
  process.once("exit", () => sink.end());
  const logging = {
    level: config.logLevel,
    format: config.logFormat,
    sink,
    isTerminal: process.stdout.isTTY === true,
  };
  const log = createLogger(logging);
  using key = await openAffinityKey(config.affinityKey, log);
  const affinityKeys = (): AffinityKeys | undefined => key?.keys;
  const droppedLogLines = (): number => sink.droppedLines;
  const run = new Run(config, { log, endLines: plainLines(logging, log) }, { affinityKeys, droppedLogLines });
  try {
    await run.start();
    await run.end();
  } finally {
    await run.close();
    sink.end();
  }
}

async function openAffinityKey(path: string | undefined, log: Log): Promise<AffinityKeyWatch | undefined> {
  return path === undefined ? undefined : AffinityKeyWatch.start({ path, log, everyMs: KEY_CHECK_MS });
}

function now(): number {
  return performance.now();
}

interface Lines {
  readonly log: Log;
  readonly endLines: PlainLines;
}

/** One life of the process, from the first port to the last socket. */
class Run {
  readonly #config: Config;
  readonly #log: Log;
  readonly #limits = readProcessLimits();
  readonly #bounds: ProcessBounds;
  readonly #metrics: Metrics;
  readonly #data: DataThread;
  readonly #control: ControlSupervisor;
  readonly #admin: AdminServer;
  readonly #signals = onEndSignals(process);
  readonly #listeners: OwnListener[] = [];
  #isReady = false;

  constructor(
    config: Config,
    { log, endLines }: Lines,
    asked: Pick<DataThreadOptions, "affinityKeys" | "droppedLogLines">,
  ) {
    this.#config = config;
    this.#log = log;
    const metrics = new Metrics({ nextTurn, wallClock: Date.now });
    this.#metrics = metrics;
    this.#bounds = processBounds(config, this.#limits);
    this.#data = createDataThread({
      config,
      bounds: this.#bounds,
      log,
      endLines,
      metrics,
      ...asked,
      isForbidden: this.#forbiddenTargets(),
      now,
      random: Math.random,
    });
    this.#control = new ControlSupervisor({
      entry: controlEntry(),
      config: controlConfig(config),
      receiver: this.#data.receiver,
      log,
      now,
      random: Math.random,
      onRestart: () => metrics.increment(METRICS.controlRestarts),
    });
    this.#admin = new AdminServer({
      isReady: () => this.#isReady && this.#data.drains.ordered.processDrainedForMs === undefined,
      metrics: () => metrics.render(),
      metricsContentType: metrics.contentType,
      onError: (error) => log.error({ err: error }, "the admin port failed"),
      operator: {
        operations: operationsOn(this.#data, replicaName(config, hostname())),
        defaults: { graceMs: config.shutdown.graceMs, withinMs: config.shutdown.deadlineMs },
      },
    });
  }

  /**
   * Whoever writes EndpointSlices in a cluster must not reach what only this machine may (the admin port, the node's own
   * services). Who writes manifests into a folder is the operator himself, and loopback is what he means.
   */
  #forbiddenTargets(): ForbiddenCheck | undefined {
    if (this.#config.source.kind !== "kubernetes") return undefined;
    return forbiddenTargets({ ownListeners: () => this.#listeners, ownAddresses, now });
  }

  /** Admin at once, clients after the first table: before it, every answer would be a wrong 404. */
  async start(): Promise<void> {
    const { admin, adminSocket, http, version } = this.#config;
    this.#log.info({ version, node: process.version, pid: process.pid }, "holdfast starts");
    tellBounds(this.#log, this.#bounds, this.#limits);
    if (admin !== "off") {
      const bound = await listenOn((at) => this.#admin.listen(at), admin, "--admin");
      this.#listeners.push(bound);
      this.#log.info({ listener: "admin", ...bound }, "listening");
    }
    if (adminSocket !== undefined) {
      await listenOnSocket((path) => this.#admin.listenOnSocket(path), adminSocket);
      this.#log.info({ listener: "admin", path: adminSocket }, "listening");
    }
    this.#control.start();
    await Promise.race([this.#data.hasTable, this.#signals.first]);
    if (this.#signals.received !== undefined) return;
    const bound = await listenOn((at) => this.#data.proxy.listen(at), http, "--http");
    this.#listeners.push(bound);
    this.#isReady = true;
    this.#log.info({ listener: "http", ...bound }, "listening");
  }

  /** Waits for a signal and then for the tunnels. */
  async end(): Promise<void> {
    const signal = await this.#signals.first;
    this.#isReady = false;
    this.#log.info({ signal }, "signal received");
    this.#control.leave();
    const { proxy, drains } = this.#data;
    if (proxy.listeners.length === 0) return;
    await shutDown({
      plan: planFor(signal, this.#config.shutdown),
      target: shutdownTarget(proxy, drains.ordered),
      log: this.#log,
      now,
      sleep: (ms) => sleep(ms),
      cut: this.#signals.second,
    });
  }

  /** Closes everything, whatever state it is in. */
  async close(): Promise<void> {
    this.#signals.dispose();
    const closed = Promise.all([this.#data.proxy.close(), this.#control.stop(), this.#admin.stop()]);
    await Promise.race([closed, sleep(CLOSE_TIMEOUT_MS)]);
    this.#data.probing.stop();
    this.#data.stopTimers();
    this.#metrics.stop();
  }
}

/** What operators may look at and steer in that thread. */
function operationsOn({ proxy, registry, tables, drains }: DataThread, replica: string): ThreadOperations {
  return new ThreadOperations({
    replica,
    tunnels: proxy.tunnels,
    backends: registry,
    tables,
    ordered: drains.ordered,
    byRule: drains.byRule,
    now,
    nextTurn,
  });
}

/** Of every interface of this machine or Pod. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

function planFor(signal: EndSignal, plan: ShutdownPlan): ShutdownPlan {
  return signal === "SIGINT" ? INTERRUPT_PLAN : plan;
}

/** Beside this file: as source or compiled. */
function controlEntry(): URL {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`./control-thread${extension}`, import.meta.url);
}

function controlConfig(config: Config): ControlThreadConfig {
  const { source, version, dnsIntervalMs, logLevel } = config;
  const common = { version, graph: graphOptions(config), dnsIntervalMs, logLevel };
  if (source.kind === "proxy") return { ...common, source: { kind: "manifests", manifests: proxyManifests(source) } };
  return { ...common, source };
}
