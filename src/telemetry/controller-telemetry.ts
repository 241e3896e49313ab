import type { ControllerObserver, Log } from "../controller/index.ts";
import { METRICS } from "./metric-definitions.ts";
import type { Metrics } from "./metrics.ts";

export interface ControllerTelemetryOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Unix time in milliseconds. */
  readonly wallClock: () => number;
}

/** Turns what the controller tells about its builds into metrics and a log line; lives on the data thread. */
export class ControllerTelemetry implements ControllerObserver {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #wallClock: () => number;

  constructor(options: ControllerTelemetryOptions) {
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#wallClock = options.wallClock;
  }

  programmed(build: Parameters<ControllerObserver["programmed"]>[0]): void {
    const { generation, routes, rejectedRoutes, hostsChanged, buildMs } = build;
    this.#metrics.setGauge(METRICS.routes, routes - rejectedRoutes, { state: "accepted" });
    this.#metrics.setGauge(METRICS.routes, rejectedRoutes, { state: "rejected" });
    this.#metrics.built(buildMs);
    const fields = { generation, routes, rejectedRoutes, hostsChanged, buildMs: Math.round(buildMs * 10) / 10 };
    if (hostsChanged === 0) return this.#log.debug(fields, "a build changed no host");
    this.#metrics.setGauge(METRICS.lastTableChange, this.#wallClock() / 1000);
    this.#log.info(fields, "table is live");
  }
}
