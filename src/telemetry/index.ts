/**
 * telemetry: what Holdfast tells about itself.
 * In: the events of the proxy and the controller, and the live counts at each scrape. Out: log lines and the text of
 * /metrics. Imports the types of proxy, relay, upstream, drain, health and controller, pino and prom-client.
 * Must never slow a tunnel: no work per frame, no line without bound, no label that a client can choose.
 */
export { ControllerTelemetry } from "./controller-telemetry.ts";
export { DrainTelemetry } from "./drain-telemetry.ts";
export { HealthTelemetry } from "./health-telemetry.ts";
export { createLogger, type LogFormat, type LogLevel, LOG_FORMATS, LOG_LEVELS } from "./logger.ts";
export { METRICS } from "./metric-definitions.ts";
export { Metrics } from "./metrics.ts";
export { type PlainLines, plainLines } from "./plain-lines.ts";
export { metricsReference } from "./metrics-reference.ts";
export { ProxyTelemetry } from "./proxy-telemetry.ts";
