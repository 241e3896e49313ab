import { randomBytes } from "node:crypto";
import type { Log } from "../controller/index.ts";
import { createDecider, type ForbiddenCheck, ProxyServer } from "../proxy/index.ts";
import { BufferBudget, createTunnelRelay, TimerWheel } from "../relay/index.ts";
import { TableHolder } from "../routing/index.ts";
import { ControllerTelemetry, METRICS, type Metrics, type PlainLines, ProxyTelemetry } from "../telemetry/index.ts";
import { UpstreamRegistry } from "../upstream/index.ts";
import type { Config } from "./config.ts";
import { DataPlaneReceiver } from "./data-plane-receiver.ts";
import { openDescriptors } from "./open-descriptors.ts";
import type { ProcessBounds } from "./process-bounds.ts";
import { randomIds } from "./random-ids.ts";
import type { Report } from "./thread-messages.ts";

export interface DataThreadOptions {
  readonly config: Pick<Config, "headerTimeoutMs" | "maxHeadBytes">;
  readonly bounds: ProcessBounds;
  readonly log: Log;
  readonly endLines: PlainLines;
  readonly metrics: Metrics;
  readonly droppedLogLines: () => number;
  /** Where backends may not be; undefined = anywhere. */
  readonly isForbidden: ForbiddenCheck | undefined;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
}

/** All that serves clients, constructed and connected; nothing listens yet. */
export interface DataThread {
  readonly proxy: ProxyServer;
  /** Where the control thread's messages go. */
  readonly receiver: DataPlaneReceiver;
  /** Resolves when the first table is live. */
  readonly hasTable: Promise<void>;
  readonly wheel: TimerWheel;
}

export function createDataThread(options: DataThreadOptions): DataThread {
  const { config, bounds, log, endLines, metrics, now, random } = options;
  const { maxTunnels = Infinity, maxConnections = Infinity } = bounds;
  const wheel = new TimerWheel({ now });
  const budget = new BufferBudget({ limitBytes: bounds.bufferBudgetBytes, wheel, now });
  const registry = new UpstreamRegistry({ random });
  const tables = new TableHolder();
  const pseudonym = `holdfast-${randomBytes(4).toString("hex")}`;
  const proxy = new ProxyServer({
    decider: createDecider({ tables, pseudonym }),
    tables,
    balancer: registry,
    backends: registry,
    createRelay: (onEnd) => createTunnelRelay({ wheel, now, random, budget, observer: metrics.relayObserver, onEnd }),
    wheel,
    observer: new ProxyTelemetry({ log, endLines, metrics, now }),
    now,
    wallNow: Date.now,
    randomId: randomIds(),
    pseudonym,
    ...(options.isForbidden !== undefined && { isForbidden: options.isForbidden }),
    limits: { headerTimeoutMs: config.headerTimeoutMs, maxHeadBytes: config.maxHeadBytes },
    admission: { maxTunnels, maxConnections, buffers: budget },
  });
  metrics.observe({
    tunnels: () => proxy.tunnels,
    upstreams: () => registry.stats(),
    buffers: () => budget,
    maxTunnels: () => bounds.maxTunnels,
    timers: () => wheel.size,
    droppedLogLines: options.droppedLogLines,
    openDescriptors,
  });
  const { promise: hasTable, resolve: tableIsLive } = Promise.withResolvers<void>();
  const receiver = new DataPlaneReceiver({
    registry,
    holder: tables,
    onCommit: ({ gone, arrived }) => {
      metrics.setGauge(METRICS.tableGeneration, tables.current.generation);
      for (const id of gone) metrics.rules.setGone(id, true);
      for (const id of arrived) metrics.rules.setGone(id, false);
      tableIsLive();
    },
    onReport: reportHandler(log, metrics),
  });
  wheel.start();
  return { proxy, receiver, hasTable, wheel };
}

/** What the control thread tells, into the log and the metrics of this thread. */
function reportHandler(log: Log, metrics: Metrics): (report: Report) => void {
  const controller = new ControllerTelemetry({ log, metrics, wallClock: Date.now });
  return (report) => {
    switch (report.kind) {
      case "log":
        log[report.level](report.fields, report.message);
        return;
      case "programmed":
        controller.programmed(report.build);
        return;
      case "problems":
        metrics.setGauge(METRICS.sourceProblems, report.count);
        return;
      case "dropped":
        metrics.logLinesLost(report.count);
        return;
      case "freshness":
        metrics.sourceHeard(report.kinds);
        return;
      case "leader":
        metrics.setGauge(METRICS.isLeader, report.isLeader ? 1 : 0);
        return;
      case "count":
        metrics.increment(METRICS[report.metric], report.labels);
        return;
    }
  };
}
