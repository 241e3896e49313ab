import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { TunnelEnd } from "../relay/index.ts";
import type { UpstreamStats } from "../upstream/index.ts";
import { Exposition, type Sample } from "./exposition.ts";
import { addLoopDelay, addRules, addUpstreams } from "./live-families.ts";
import { LoopDelayMeter } from "./loop-delay.ts";
import { METRICS, type MetricDefinition } from "./metric-definitions.ts";
import { type LiveTunnel, RuleCounters } from "./rule-counters.ts";
import { openTunnels, sumRules, sumUpstreams, type ThreadCounts, worstDelay } from "./thread-counts.ts";

/** What is read at a scrape instead of being counted at each event. */
export interface LiveCounts {
  tunnels(): Iterable<LiveTunnel>;
  upstreams(): Iterable<UpstreamStats>;
  droppedLogLines(): number;
  /** Open file descriptors of the process; undefined where that cannot be known. */
  openDescriptors(): Promise<number | undefined>;
}

/** Of all data threads but the one that is scraped; empty where there is only that one. */
export type OtherThreads = () => Promise<readonly ThreadCounts[]>;

export interface MetricsOptions {
  /** Which data thread counts here. The first, 0, also tells of the process, and is the one that is scraped. */
  readonly thread: number;
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

/** All numbers of one data thread, in registries of their own. Counting is cheap; `render` does the work, in slices. */
export class Metrics {
  readonly rules = new RuleCounters();
  readonly #thread: number;
  /** Counters and histograms: what is the sum over all data threads. */
  readonly #sums = new Registry();
  /** What only one thread can tell: gauges, and the numbers of the process. */
  readonly #own = new Registry();
  readonly #nextTurn: () => Promise<void>;
  readonly #loopDelay = new LoopDelayMeter();
  readonly #counters = new Map<MetricDefinition, Counter>();
  readonly #gauges = new Map<MetricDefinition, Gauge>();
  readonly #handshakeDuration: Histogram;
  readonly #tunnelDuration: Histogram;
  readonly #buildDuration: Histogram;
  readonly #wallClock: () => number;
  /** By kind of object. */
  readonly #heardAtMs = new Map<string, number>();
  #live: LiveCounts | undefined;
  #others: OtherThreads = async () => [];
  /** Counters and histograms of threads that are no more. */
  #inherited: readonly (readonly object[])[] = [];
  #rendering: Promise<string> | undefined;
  /** Dropped on the way from the control thread; those of the log itself are read at the scrape. */
  #remoteDropped = 0;

  constructor(options: MetricsOptions) {
    this.#thread = options.thread;
    this.#nextTurn = options.nextTurn;
    this.#wallClock = options.wallClock;
    if (options.thread === 0) collectDefaultMetrics({ register: this.#own });
    // prom-client lists /proc/self/fd synchronously: with 100,000 sockets that would stall every tunnel.
    this.#own.removeSingleMetric(OPEN_DESCRIPTORS.name);
    this.#handshakeDuration = this.#histogram(METRICS.handshakeDuration);
    this.#tunnelDuration = this.#histogram(METRICS.tunnelDuration);
    this.#buildDuration = this.#histogram(METRICS.buildDuration);
    for (const definition of [METRICS.tunnelsMidFrame, METRICS.tunnelsOpaque]) this.#counter(definition);
    for (const definition of [METRICS.logLinesSuppressed, METRICS.controlRestarts]) this.#counter(definition);
    for (const definition of [METRICS.tableGeneration, METRICS.sourceProblems]) this.#gauge(definition);
  }

  /** Where live counts are read at a scrape. */
  observe(live: LiveCounts): void {
    this.#live = live;
  }

  /** There are other data threads: `render` asks for their counts, and shows them with its own as one process. */
  sumWith(others: OtherThreads): void {
    this.#others = others;
    this.increment(METRICS.dataRestarts, {}, 0);
  }

  /** Goes on counting from what a thread that ended had counted; sums never go down. Its tunnels were cut. */
  inherit(counts: ThreadCounts): void {
    this.rules.inherit(counts.rules);
    this.#inherited = [...this.#inherited, counts.counters];
    this.#remoteDropped += counts.droppedLogLines;
  }

  /** Adds one to a small counter; label values must come from a bounded set. */
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
    if (end.midFrame) this.increment(METRICS.tunnelsMidFrame);
    if (end.opaque) this.increment(METRICS.tunnelsOpaque);
    this.increment(METRICS.closeCodesSent, { side: "client", code: closeCodeLabel(end.codeToClient) });
    this.increment(METRICS.closeCodesSent, { side: "backend", code: closeCodeLabel(end.codeToBackend) });
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
    return this.#sums.contentType;
  }

  /** The text of /metrics. Calls that come while one is under way share its answer. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  /** What this thread has counted by now, for the thread that is scraped. */
  async collect(): Promise<ThreadCounts> {
    const counters = await this.#sums.getMetricsAsJSON();
    return { ...this.#liveCounts(), counters };
  }

  /** Stops measuring; for the end of the process and of tests. */
  stop(): void {
    this.#loopDelay.stop();
    this.#sums.clear();
    this.#own.clear();
  }

  async #render(): Promise<string> {
    const others = await this.#others();
    const out = new Exposition(this.#nextTurn);
    out.addText(await this.#own.metrics());
    out.addText(await (await this.#sumOfCounters(others)).metrics());
    // One turn for all of it: some numbers for each rule and upstream.
    const threads = [this.#liveCounts(), ...others];
    const rules = threads.map((counts) => counts.rules);
    await addRules(out, await sumRules(rules, this.#nextTurn));
    await addUpstreams(out, sumUpstreams(threads.map(({ upstreams }) => upstreams)));
    await addLoopDelay(out, worstDelay(threads.map(({ loopDelay }) => loopDelay)));
    const dropped = threads.reduce((sum, { droppedLogLines }) => sum + droppedLogLines, 0);
    await out.add(METRICS.logLinesDropped, [[[], dropped]]);
    if (others.length > 0) await out.add(METRICS.threadTunnels, threads.map(tunnelsOfThread));
    if (this.#heardAtMs.size > 0) await out.add(METRICS.sourceAge, this.#sourceAges());
    const descriptors = await this.#live?.openDescriptors();
    if (descriptors !== undefined) await out.add(OPEN_DESCRIPTORS, [[[], descriptors]]);
    return out.text;
  }

  #liveCounts(): Omit<ThreadCounts, "counters"> {
    const live = this.#live;
    return {
      thread: this.#thread,
      rules: this.rules.collect(live?.tunnels() ?? []),
      upstreams: [...(live?.upstreams() ?? [])],
      loopDelay: this.#loopDelay.read(),
      droppedLogLines: (live?.droppedLogLines() ?? 0) + this.#remoteDropped,
    };
  }

  async #sumOfCounters(others: readonly ThreadCounts[]): Promise<Pick<Registry, "metrics">> {
    if (others.length === 0 && this.#inherited.length === 0) return this.#sums;
    // However many threads end, what is kept of them is one list.
    this.#inherited = [await AggregatorRegistry.aggregate([...this.#inherited]).getMetricsAsJSON()];
    const own = await this.#sums.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([own, ...this.#inherited, ...others.map(({ counters }) => counters)]);
  }

  #sourceAges(): readonly Sample[] {
    const nowMs = this.#wallClock();
    return [...this.#heardAtMs].map(([kind, atMs]) => [[kind], Math.max(0, nowMs - atMs) / 1000]);
  }

  #counter(definition: MetricDefinition): Counter {
    let counter = this.#counters.get(definition);
    if (counter === undefined) {
      counter = new Counter({ ...configOf(definition), registers: [this.#sums] });
      this.#counters.set(definition, counter);
    }
    return counter;
  }

  #gauge(definition: MetricDefinition): Gauge {
    let gauge = this.#gauges.get(definition);
    if (gauge === undefined) {
      gauge = new Gauge({ ...configOf(definition), registers: [this.#own] });
      this.#gauges.set(definition, gauge);
    }
    return gauge;
  }

  #histogram(definition: MetricDefinition): Histogram {
    const buckets = [...(definition.buckets ?? [])];
    return new Histogram({ ...configOf(definition), buckets, registers: [this.#sums] });
  }
}

function configOf({ name, help, labels }: MetricDefinition): { name: string; help: string; labelNames: string[] } {
  return { name, help, labelNames: [...labels] };
}

function tunnelsOfThread({ thread, rules }: Pick<ThreadCounts, "thread" | "rules">): Sample {
  return [[String(thread)], openTunnels(rules)];
}

/** Peers choose their codes, so only those of RFC 6455 are told apart; the log has them all. */
function closeCodeLabel(code: number | undefined): string {
  if (code === undefined) return "none";
  if (code >= 1000 && code <= 1015) return String(code);
  if (code >= 3000 && code <= 3999) return "3xxx";
  return code >= 4000 && code <= 4999 ? "4xxx" : "other";
}
