import { collectDefaultMetrics, Counter, Gauge, Registry } from "prom-client";
import type { WaitingCount } from "../admission/index.ts";
import type { DrainFacts } from "../drain/index.ts";
import type { FrameFault, RelayObserver, TunnelEnd } from "../relay/index.ts";
import type { UpstreamStats } from "../upstream/index.ts";
import { CloseCodeCounters } from "./close-code-counters.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import { Exposition, type Sample } from "./exposition.ts";
import {
  addBuffers,
  addDrains,
  addLoopDelay,
  addPings,
  addRules,
  addUpstreams,
  addWaiting,
  type BufferCounts,
} from "./live-families.ts";
import { LoopDelayMeter } from "./loop-delay.ts";
import { METRICS, type MetricDefinition } from "./metric-definitions.ts";
import { PingCounters } from "./ping-counters.ts";
import { type LiveTunnel, RuleCounters } from "./rule-counters.ts";

/** What is read at a scrape instead of being counted at each event. */
export interface LiveCounts {
  tunnels(): Iterable<LiveTunnel>;
  upstreams(): Iterable<UpstreamStats>;
  droppedLogLines(): number;
  /** What waits in all tunnels together, and how much may. */
  buffers?(): BufferCounts;
  /** Tunnels that this process can hold at once; undefined = as many as come. */
  maxTunnels?(): number | undefined;
  /** Handshakes that wait for their rules. */
  waiting?(): Iterable<WaitingCount>;
  /** Drains in force. */
  drains?(): Iterable<DrainFacts>;
  /** Timers that are set now. */
  timers?(): number;
  /** Open file descriptors of the process; undefined where that cannot be known. */
  openDescriptors(): Promise<number | undefined>;
}

export interface MetricsOptions {
  /** Resolves when everything that waits had its turn of the event loop: `setImmediate`. */
  readonly nextTurn: () => Promise<void>;
  /** Unix time in milliseconds. */
  readonly wallClock: () => number;
}

const OPEN_DESCRIPTORS: MetricDefinition = {
  name: "process_open_fds",
  type: "gauge",
  help: "Number of open file descriptors.",
  labels: [],
};

/**
 * All numbers of the process. What happens with each tunnel is counted in plain numbers of our own, all else in a
 * registry of prom-client's. Counting is cheap; `render` does the work, in slices.
 */
export class Metrics {
  readonly rules = new RuleCounters();
  readonly #pings = new PingCounters();
  readonly #closeCodes = new CloseCodeCounters();
  readonly #handshakeDuration = new DurationHistogram(METRICS.handshakeDuration.buckets);
  readonly #tunnelDuration = new DurationHistogram(METRICS.tunnelDuration.buckets);
  readonly #buildDuration = new DurationHistogram(METRICS.buildDuration.buckets);
  readonly #registry = new Registry();
  readonly #nextTurn: () => Promise<void>;
  readonly #loopDelay = new LoopDelayMeter();
  readonly #counters = new Map<MetricDefinition, Counter>();
  readonly #gauges = new Map<MetricDefinition, Gauge>();
  readonly #wallClock: () => number;
  /** By kind of object. */
  readonly #heardAtMs = new Map<string, number>();
  #live: LiveCounts | undefined;
  #rendering: Promise<string> | undefined;
  /** Dropped on the way from the control thread; those of the log itself are read at the scrape. */
  #remoteDropped = 0;

  constructor(options: MetricsOptions) {
    this.#nextTurn = options.nextTurn;
    this.#wallClock = options.wallClock;
    collectDefaultMetrics({ register: this.#registry });
    // prom-client lists /proc/self/fd synchronously: with 100,000 sockets that would stall every tunnel.
    this.#registry.removeSingleMetric(OPEN_DESCRIPTORS.name);
    for (const name of ["tunnelsMidFrame", "tunnelsForced", "tunnelsOpaque"] as const) this.#counter(METRICS[name]);
    for (const definition of [METRICS.logLinesSuppressed, METRICS.controlRestarts]) this.#counter(definition);
    for (const definition of [METRICS.tableGeneration, METRICS.sourceProblems]) this.#gauge(definition);
  }

  /** Where live counts are read at a scrape. */
  observe(live: LiveCounts): void {
    this.#live = live;
  }

  /** Adds to a small counter; label values must come from a bounded set. */
  increment(definition: MetricDefinition, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counter(definition).inc({ ...labels }, by);
  }

  setGauge(definition: MetricDefinition, value: number, labels: Readonly<Record<string, string>> = {}): void {
    this.#gauge(definition).set({ ...labels }, value);
  }

  handshake(route: string, rule: string, durationMs: number): void {
    this.rules.opened(route, rule);
    this.#handshakeDuration.observe(durationMs / 1000);
  }

  tunnelEnded(route: string, rule: string, end: TunnelEnd): void {
    this.rules.ended(route, rule, end);
    this.#tunnelDuration.observe(end.durationMs / 1000);
    this.#closeCodes.ended(end);
    if (end.midFrame) this.increment(METRICS.tunnelsMidFrame);
    if (end.forced) this.increment(METRICS.tunnelsForced);
    if (end.opaque) this.increment(METRICS.tunnelsOpaque);
    if (end.clientFaults !== undefined) this.#atFault("client", end.clientFaults.first);
    if (end.backendFaults !== undefined) this.#atFault("backend", end.backendFaults.first);
  }

  #atFault(side: "client" | "backend", fault: FrameFault): void {
    this.increment(METRICS.tunnelsAtFault, { side, fault });
  }

  /** Counts what a relay tells. */
  get relayObserver(): RelayObserver {
    return this.#pings;
  }

  built(buildMs: number): void {
    this.#buildDuration.observe(buildMs / 1000);
  }

  /** When each kind of object was last known to be as the source has it, as Unix time in milliseconds. */
  sourceHeard(kinds: Iterable<{ readonly kind: string; readonly atMs: number }>): void {
    for (const { kind, atMs } of kinds) this.#heardAtMs.set(kind, atMs);
  }

  /** Log lines that were lost before they reached the log. */
  logLinesLost(count: number): void {
    this.#remoteDropped += count;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of /metrics. Calls that come while one is under way share its answer. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  /** Stops measuring; for the end of the process and of tests. */
  stop(): void {
    this.#loopDelay.stop();
    this.#registry.clear();
  }

  async #render(): Promise<string> {
    const live = this.#live;
    const out = new Exposition(this.#nextTurn);
    out.addText(await this.#registry.metrics());
    // All in one turn, some numbers for each rule and upstream: a tunnel that ends later is in none of the families.
    out.addHistogram(METRICS.handshakeDuration, [[[], this.#handshakeDuration.collect()]]);
    out.addHistogram(METRICS.tunnelDuration, [[[], this.#tunnelDuration.collect()]]);
    out.addHistogram(METRICS.buildDuration, [[[], this.#buildDuration.collect()]]);
    const closeCodes = this.#closeCodes.collect();
    const pings = this.#pings.collect();
    const rules = this.rules.collect(live?.tunnels() ?? []);
    const upstreams = [...(live?.upstreams() ?? [])];
    if (closeCodes.length > 0) await out.add(METRICS.closeCodesSent, closeCodes);
    await addPings(out, pings);
    await addRules(out, rules);
    await addUpstreams(out, upstreams);
    await addLoopDelay(out, this.#loopDelay.read());
    await out.add(METRICS.logLinesDropped, [[[], (live?.droppedLogLines() ?? 0) + this.#remoteDropped]]);
    if (this.#heardAtMs.size > 0) await out.add(METRICS.sourceAge, this.#sourceAges());
    if (live !== undefined) await addProcess(out, live);
    return out.text;
  }

  #sourceAges(): readonly Sample[] {
    const nowMs = this.#wallClock();
    return [...this.#heardAtMs].map(([kind, atMs]) => [[kind], Math.max(0, nowMs - atMs) / 1000]);
  }

  #counter(definition: MetricDefinition): Counter {
    let counter = this.#counters.get(definition);
    if (counter === undefined) {
      counter = new Counter({ ...configOf(definition), registers: [this.#registry] });
      this.#counters.set(definition, counter);
    }
    return counter;
  }

  #gauge(definition: MetricDefinition): Gauge {
    let gauge = this.#gauges.get(definition);
    if (gauge === undefined) {
      gauge = new Gauge({ ...configOf(definition), registers: [this.#registry] });
      this.#gauges.set(definition, gauge);
    }
    return gauge;
  }
}

/** Who waits to come in, and who is being taken off. */
async function addMoving(out: Exposition, live: LiveCounts): Promise<void> {
  await addWaiting(out, live.waiting?.() ?? []);
  const inForce = [...(live.drains?.() ?? [])];
  if (inForce.length > 0) await addDrains(out, inForce);
}

/** What the process holds and may hold, as far as it is told. */
async function addProcess(out: Exposition, live: LiveCounts): Promise<void> {
  await addMoving(out, live);
  const buffers = live.buffers?.();
  if (buffers !== undefined) await addBuffers(out, buffers);
  const maxTunnels = live.maxTunnels?.();
  if (maxTunnels !== undefined) await out.add(METRICS.maxTunnels, [[[], maxTunnels]]);
  const timers = live.timers?.();
  if (timers !== undefined) await out.add(METRICS.timers, [[[], timers]]);
  const descriptors = await live.openDescriptors();
  if (descriptors !== undefined) await out.add(OPEN_DESCRIPTORS, [[[], descriptors]]);
}

function configOf({ name, help, labels }: MetricDefinition): { name: string; help: string; labelNames: string[] } {
  return { name, help, labelNames: [...labels] };
}
