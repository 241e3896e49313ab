import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { EndCause, TunnelEnd } from "../relay/index.ts";
import type { UpstreamStats } from "../upstream/index.ts";
import { Exposition, type Sample } from "./exposition.ts";
import { LoopDelayMeter } from "./loop-delay.ts";
import { METRICS, type MetricDefinition } from "./metric-definitions.ts";
import { type LiveTunnel, RuleCounters, type RuleCounts } from "./rule-counters.ts";

/** What is read at a scrape instead of being counted at each event. */
export interface LiveCounts {
  tunnels(): Iterable<LiveTunnel>;
  upstreams(): Iterable<UpstreamStats>;
  droppedLogLines(): number;
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

/** All numbers of the process, in a registry of their own. Counting is cheap; `render` does the work, in slices. */
export class Metrics {
  readonly rules = new RuleCounters();
  readonly #registry = new Registry();
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
  #rendering: Promise<string> | undefined;
  /** Dropped on the way from the control thread; those of the log itself are read at the scrape. */
  #remoteDropped = 0;

  constructor(options: MetricsOptions) {
    this.#nextTurn = options.nextTurn;
    this.#wallClock = options.wallClock;
    collectDefaultMetrics({ register: this.#registry });
    // prom-client lists /proc/self/fd synchronously: with 100,000 sockets that would stall every tunnel.
    this.#registry.removeSingleMetric(OPEN_DESCRIPTORS.name);
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
    await this.#addRules(out, this.rules.collect(live?.tunnels() ?? []));
    // One turn for all of them: a few numbers for each upstream.
    await this.#addUpstreams(out, [...(live?.upstreams() ?? [])]);
    const delay = this.#loopDelay.read();
    await out.add(METRICS.eventLoopDelay, [
      [["p50"], delay.p50Seconds],
      [["p99"], delay.p99Seconds],
      [["max"], delay.maxSeconds],
    ]);
    await out.add(METRICS.logLinesDropped, [[[], (live?.droppedLogLines() ?? 0) + this.#remoteDropped]]);
    if (this.#heardAtMs.size > 0) await out.add(METRICS.sourceAge, this.#sourceAges());
    const descriptors = await live?.openDescriptors();
    if (descriptors !== undefined) await out.add(OPEN_DESCRIPTORS, [[[], descriptors]]);
    return out.text;
  }

  #sourceAges(): readonly Sample[] {
    const nowMs = this.#wallClock();
    return [...this.#heardAtMs].map(([kind, atMs]) => [[kind], Math.max(0, nowMs - atMs) / 1000]);
  }

  async #addRules(out: Exposition, rules: readonly RuleCounts[]): Promise<void> {
    await out.add(
      METRICS.openTunnels,
      samples(rules, (rule) => [[[], rule.open]]),
    );
    await out.add(
      METRICS.tunnelsOpened,
      samples(rules, (rule) => [[[], rule.opened]]),
    );
    await out.add(
      METRICS.tunnelsEnded,
      samples(rules, (rule) => rule.ended.map(endedSample)),
    );
    await out.add(
      METRICS.tunnelBytes,
      samples(rules, (rule) => upAndDown(rule.bytesUp, rule.bytesDown)),
    );
    await out.add(
      METRICS.tunnelMessages,
      samples(rules, (rule) => upAndDown(rule.messagesUp, rule.messagesDown)),
    );
  }

  async #addUpstreams(out: Exposition, upstreams: readonly UpstreamStats[]): Promise<void> {
    await out.add(
      METRICS.upstreamTunnels,
      upstreams.map(({ upstream, tunnels }): Sample => [[upstream], tunnels]),
    );
    await out.add(
      METRICS.upstreamPending,
      upstreams.map(({ upstream, pending }): Sample => [[upstream], pending]),
    );
    await out.add(
      METRICS.upstreamBackends,
      upstreams.flatMap(({ upstream, ready, draining }): Sample[] => [
        [[upstream, "ready"], ready],
        [[upstream, "draining"], draining],
      ]),
    );
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

  #histogram(definition: MetricDefinition): Histogram {
    const buckets = [...(definition.buckets ?? [])];
    return new Histogram({ ...configOf(definition), buckets, registers: [this.#registry] });
  }
}

function configOf({ name, help, labels }: MetricDefinition): { name: string; help: string; labelNames: string[] } {
  return { name, help, labelNames: [...labels] };
}

function* samples(rules: readonly RuleCounts[], of: (rule: RuleCounts) => readonly Sample[]): Iterable<Sample> {
  for (const rule of rules) {
    for (const [labels, value] of of(rule)) yield [[rule.route, rule.rule, ...labels], value];
  }
}

function endedSample([cause, count]: readonly [EndCause, number]): Sample {
  return [[cause], count];
}

function upAndDown(up: number, down: number): readonly Sample[] {
  return [
    [["up"], up],
    [["down"], down],
  ];
}

/** Peers choose their codes, so only those of RFC 6455 are told apart; the log has them all. */
function closeCodeLabel(code: number | undefined): string {
  if (code === undefined) return "none";
  if (code >= 1000 && code <= 1015) return String(code);
  if (code >= 3000 && code <= 3999) return "3xxx";
  return code >= 4000 && code <= 4999 ? "4xxx" : "other";
}
