import type { Log } from "../controller/index.ts";
import type { HealthObserver, VerdictNews } from "../health/index.ts";
import { LogBudget } from "./log-budget.ts";
import { METRICS } from "./metric-definitions.ts";
import type { Metrics } from "./metrics.ts";

/** When a whole Service goes, thousands of backends fail in one interval: so many lines of a kind in each window. */
const LINES = 50;
const WINDOW_MS = 10_000;

export interface HealthTelemetryOptions {
  readonly log: Log;
  readonly metrics: Pick<Metrics, "increment">;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** Turns what probes tell into metrics and log lines: each probe is counted, and only a change of the verdict is a line. */
export class HealthTelemetry implements HealthObserver {
  readonly #options: HealthTelemetryOptions;
  readonly #lines: LogBudget;

  constructor(options: HealthTelemetryOptions) {
    this.#options = options;
    this.#lines = new LogBudget({ now: options.now, linesPerWindow: LINES, windowMs: WINDOW_MS });
  }

  probed(...[type, result]: Parameters<HealthObserver["probed"]>): void {
    this.#options.metrics.increment(METRICS.probes, { type, result });
  }

  verdict({ verdict, backend, active, answer }: VerdictNews): void {
    const fields = {
      upstream: backend.upstream,
      backend: backend.target,
      probe: active.type,
      // Rare, and only then another one than the backend's.
      port: active.port === 0 ? undefined : active.port,
      result: answer.result,
      why: answer.why === "" ? undefined : answer.why,
    };
    if (verdict === "failing") this.#say("warn", fields, "backend fails its probe");
    else this.#say("info", fields, "backend is well again");
  }

  crowded(...[upstream, most]: Parameters<HealthObserver["crowded"]>): void {
    this.#say("warn", { upstream, most }, "too many kinds of probes for one upstream, the latest is left out");
  }

  #say(level: "info" | "warn", fields: Readonly<Record<string, unknown>>, message: string): void {
    const suppressed = this.#lines.take(message);
    if (suppressed === undefined) {
      this.#options.metrics.increment(METRICS.logLinesSuppressed);
      return;
    }
    this.#options.log[level]({ ...fields, suppressed: suppressed === 0 ? undefined : suppressed }, message);
  }
}
