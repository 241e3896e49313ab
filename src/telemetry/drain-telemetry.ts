import type { Log } from "../controller/index.ts";
import type { DrainFacts, DrainObserver } from "../drain/index.ts";
import { LogBudget } from "./log-budget.ts";
import { METRICS } from "./metric-definitions.ts";
import type { Metrics } from "./metrics.ts";

/** A Service may be behind thousands of rules, each of which drains its Pods: so many lines of a kind in each window. */
const LINES = 50;
const WINDOW_MS = 10_000;

export interface DrainTelemetryOptions {
  readonly log: Log;
  readonly metrics: Pick<Metrics, "increment">;
  /** A monotonic clock in milliseconds, that of the drains. */
  readonly now: () => number;
}

/** Turns what drains tell into metrics and log lines: begun, time is up and some are left, done or stopped. */
export class DrainTelemetry implements DrainObserver {
  readonly #options: DrainTelemetryOptions;
  readonly #lines: LogBudget;

  constructor(options: DrainTelemetryOptions) {
    this.#options = options;
    this.#lines = new LogBudget({ now: options.now, linesPerWindow: LINES, windowMs: WINDOW_MS });
  }

  began(drain: DrainFacts): void {
    this.#options.metrics.increment(METRICS.drainsBegun, { reason: drain.reason });
    this.#say("info", drain, "drain begins");
  }

  late(drain: DrainFacts): void {
    const left = drain.waiting + drain.closing;
    this.#options.metrics.increment(METRICS.drainsLate, { reason: drain.reason });
    this.#options.metrics.increment(METRICS.drainTunnelsLeft, { reason: drain.reason }, left);
    this.#say("warn", drain, "drain is late");
  }

  ended(drain: DrainFacts): void {
    this.#say("info", drain, drain.state === "stopped" ? "drain stopped" : "drain done");
  }

  #say(level: "info" | "warn", drain: DrainFacts, message: string): void {
    const suppressed = this.#lines.take(message);
    if (suppressed === undefined) {
      this.#options.metrics.increment(METRICS.logLinesSuppressed);
      return;
    }
    const fields = {
      drain: drain.id,
      reason: drain.reason,
      rule: drain.ruleId,
      upstream: drain.upstream,
      backend: drain.backend,
      target: drain.text,
      withinMs: Math.round(drain.withinMs),
      perSecond: drain.perSecond === 0 ? undefined : drain.perSecond,
      waiting: drain.waiting,
      closing: drain.closing,
      gone: drain.gone,
      forMs: Math.round(this.#options.now() - drain.startedAtMs),
      suppressed: suppressed === 0 ? undefined : suppressed,
    };
    this.#options.log[level](fields, message);
  }
}
