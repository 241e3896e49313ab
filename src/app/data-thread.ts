import { randomBytes } from "node:crypto";
import type { Log } from "../controller/index.ts";
import { RuleAdmissions } from "../admission/index.ts";
import { OrderedDrains, type PacerSurroundings, RuleDrains } from "../drain/index.ts";
import { Probing } from "../health/index.ts";
import { createDecider, type ForbiddenCheck, ProxyServer } from "../proxy/index.ts";
import { BufferBudget, createTunnelRelay, TimerWheel } from "../relay/index.ts";
import { TableHolder } from "../routing/index.ts";
import {
  ControllerTelemetry,
  DrainTelemetry,
  HealthTelemetry,
  METRICS,
  type Metrics,
  type PlainLines,
  ProxyTelemetry,
} from "../telemetry/index.ts";
import { type AffinityKeys, UpstreamRegistry } from "../upstream/index.ts";
import type { Config } from "./config.ts";
import { DataPlaneReceiver } from "./data-plane-receiver.ts";
import { openDescriptors } from "./open-descriptors.ts";
import type { ProcessBounds } from "./process-bounds.ts";
import { randomIds } from "./random-ids.ts";
import type { Report } from "./thread-messages.ts";

export interface DataThreadOptions {
  readonly config: Pick<Config, "headerTimeoutMs" | "maxHeadBytes" | "zone">;
  readonly bounds: ProcessBounds;
  readonly log: Log;
  readonly endLines: PlainLines;
  readonly metrics: Metrics;
  readonly droppedLogLines: () => number;
  /** Where backends may not be; undefined = anywhere. */
  readonly isForbidden: ForbiddenCheck | undefined;
  /** Asked for each request of a rule with affinity; undefined = nobody is bound. */
  readonly affinityKeys: () => AffinityKeys | undefined;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
}

/** Whoever takes tunnels off backends or off the process. */
interface ThreadDrains {
  readonly byRule: RuleDrains;
  readonly ordered: OrderedDrains;
}

/** All that serves clients, constructed and connected; nothing listens yet. */
export interface DataThread {
  readonly proxy: ProxyServer;
  readonly registry: UpstreamRegistry;
  readonly tables: TableHolder;
  readonly drains: ThreadDrains;
  readonly probing: Probing;
  /** Where the control thread's messages go. */
  readonly receiver: DataPlaneReceiver;
  /** Resolves when the first table is live. */
  readonly hasTable: Promise<void>;
  readonly wheel: TimerWheel;
  /** At the end, after all that sets some. */
  readonly stopTimers: () => void;
}

/** A rate lets its handshakes go one by one, and not those of the wheel's tick together. */
const ADMISSION_TICK_MS = 5;

export function createDataThread(options: DataThreadOptions): DataThread {
  const { config, bounds, log, endLines, metrics, now, random } = options;
  const { maxTunnels = Infinity, maxConnections = Infinity } = bounds;
  const wheel = new TimerWheel({ now });
  const budget = new BufferBudget({ limitBytes: bounds.bufferBudgetBytes, wheel, now });
  const registry = new UpstreamRegistry({ random, now, zone: config.zone, affinityKeys: options.affinityKeys });
  const tables = new TableHolder();
  const pseudonym = `holdfast-${randomBytes(4).toString("hex")}`;
  const drain = {
    get isDraining() {
      return drains.ordered.processDrainedForMs !== undefined;
    },
    get isRefusing() {
      return drains.ordered.isRefusing;
    },
  };
  const nextTurn = (callback: () => void): void => void setImmediate(callback);
  const finely = new TimerWheel({ now, tickMs: ADMISSION_TICK_MS });
  const admissions = new RuleAdmissions({ balancer: registry, wheel: finely, now, random, nextTurn, drain });
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
    admissions,
    bounds: { maxTunnels, maxConnections, buffers: budget, drain },
  });
  const drains = connectDrains({
    proxy,
    registry,
    wheel,
    now,
    random,
    observer: new DrainTelemetry({ log, metrics, now }),
  });
  const probing = new Probing({
    registry,
    wheel,
    now,
    random,
    isForbidden: options.isForbidden,
    observer: new HealthTelemetry({ log, metrics, now }),
  });
  tables.onCommit((changed) => probing.rulesChanged(changed));
  registry.onList((upstream) => probing.listed(upstream));
  metrics.observe({
    tunnels: () => proxy.tunnels,
    upstreams: () => registry.stats(),
    waiting: () => admissions.waiting(),
    buffers: () => budget,
    drains: () => [...drains.byRule.facts(), ...drains.ordered.facts()],
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
      registry.forgetRules(gone);
      for (const id of gone) metrics.rules.setGone(id, true);
      probing.rulesGone(gone);
      for (const id of arrived) metrics.rules.setGone(id, false);
      proxy.forgetRules(gone);
      tableIsLive();
    },
    onReport: reportHandler(log, metrics),
  });
  for (const each of [wheel, finely]) each.start();
  const stopTimers = (): void => {
    for (const each of [wheel, finely]) each.stop();
  };
  return { proxy, registry, tables, drains, probing, receiver, hasTable, wheel, stopTimers };
}

/** Drains hear of backends that leave, of rules that change, and of every tunnel; a tunnel that opens hears of drains. */
function connectDrains({
  proxy,
  registry,
  ...around
}: PacerSurroundings & { readonly proxy: ProxyServer; readonly registry: UpstreamRegistry }): ThreadDrains {
  const byRule = new RuleDrains({
    ...around,
    tunnels: proxy.tunnels,
    rules: proxy.followedRules,
    tunnelsOf: (backend) => registry.tunnelsOf(backend),
  });
  const ordered = new OrderedDrains({ ...around, tunnels: proxy.tunnels, backends: registry });
  registry.onDeparture(byRule.departure);
  registry.onForgotten((backend) => byRule.forgotten(backend));
  proxy.onTunnels({
    opened: (tunnel) => {
      byRule.opened(tunnel);
      ordered.opened(tunnel);
    },
    ended: (tunnel) => {
      byRule.ended(tunnel);
      ordered.ended(tunnel);
    },
    rulesChanged: (ids) => byRule.rulesChanged(ids),
  });
  return { byRule, ordered };
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
