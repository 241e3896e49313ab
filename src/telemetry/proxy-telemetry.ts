import type { Log } from "../controller/index.ts";
import { ANSWERS, type ProxyObserver, type TunnelContext } from "../proxy/index.ts";
import type { TunnelEnd } from "../relay/index.ts";
import { LogBudget } from "./log-budget.ts";
import { METRICS } from "./metric-definitions.ts";
import type { Metrics } from "./metrics.ts";
import type { PlainLines } from "./plain-lines.ts";

/** Lines about refusals of one code that may be written in each window. */
const REFUSAL_LINES = 20;
const REFUSAL_WINDOW_MS = 10_000;

export interface ProxyTelemetryOptions {
  readonly log: Log;
  /** Where the line of each tunnel's end goes; not given = to the log. */
  readonly endLines?: PlainLines | undefined;
  readonly metrics: Metrics;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** Turns what the proxy tells into metrics and log lines: one line for each tunnel's end and for each refusal. */
export class ProxyTelemetry implements ProxyObserver {
  readonly #log: Log;
  readonly #endLines: PlainLines;
  readonly #metrics: Metrics;
  readonly #refusalLines: LogBudget;

  constructor(options: ProxyTelemetryOptions) {
    this.#log = options.log;
    this.#endLines = options.endLines ?? options.log;
    this.#metrics = options.metrics;
    this.#refusalLines = new LogBudget({
      now: options.now,
      linesPerWindow: REFUSAL_LINES,
      windowMs: REFUSAL_WINDOW_MS,
    });
  }

  handshakeSucceeded(context: TunnelContext, durationMs: number): void {
    this.#metrics.handshake(context.route, context.rule, durationMs);
  }

  tunnelEnded(context: TunnelContext, end: TunnelEnd): void {
    this.#metrics.tunnelEnded(context.route, context.rule, end);
    this.#endLines.info(
      {
        tunnelId: context.id,
        route: context.route,
        rule: context.rule,
        upstream: context.upstream,
        backend: context.backend,
        client: context.clientAddress,
        durationMs: Math.round(end.durationMs),
        bytesUp: end.stats.bytesUp,
        bytesDown: end.stats.bytesDown,
        messagesUp: end.stats.messagesUp,
        messagesDown: end.stats.messagesDown,
        by: end.by,
        cause: end.cause,
        codeToClient: end.codeToClient,
        codeToBackend: end.codeToBackend,
        roundTripMs: end.roundTripMs === undefined ? undefined : Math.round(end.roundTripMs * 10) / 10,
        // Rare, and only then worth a field.
        midFrame: end.midFrame || undefined,
        forced: end.forced || undefined,
        opaque: end.opaque || undefined,
        clientFaults: end.clientFaults?.count,
        clientFault: end.clientFaults?.first,
        backendFaults: end.backendFaults?.count,
        backendFault: end.backendFaults?.first,
      },
      "tunnel ended",
    );
  }

  refused(refusal: Parameters<ProxyObserver["refused"]>[0]): void {
    this.#metrics.increment(METRICS.refusals, { code: refusal.code });
    const suppressed = this.#refusalLines.take(refusal.code);
    if (suppressed === undefined) {
      this.#metrics.increment(METRICS.logLinesSuppressed);
      return;
    }
    const fields = {
      code: refusal.code,
      status: refusal.status,
      detail: refusal.detail,
      route: refusal.route,
      rule: refusal.rule,
      client: refusal.clientAddress,
      upgrade: refusal.upgrade,
      // How many like it were not written since the last one.
      suppressed: suppressed === 0 ? undefined : suppressed,
    };
    this.#log[ANSWERS[refusal.code].level](fields, "request refused");
  }

  triedAgain({ reason, result }: Parameters<ProxyObserver["triedAgain"]>[0]): void {
    this.#metrics.increment(METRICS.retries, { reason, result });
  }

  forwarded(forwarded: Parameters<ProxyObserver["forwarded"]>[0]): void {
    const definition = forwarded.upgrade ? METRICS.handshakesRefused : METRICS.plainRequests;
    this.#metrics.increment(definition, { class: statusClass(forwarded.status) });
  }
}

function statusClass(status: number): string {
  return status >= 100 && status <= 599 ? `${Math.floor(status / 100)}xx` : "other";
}
