import type { ActiveHealth, UpstreamKey } from "../routing/index.ts";
import type { Backend } from "../upstream/index.ts";

/**
 * How a probe ended. no_connection: refused, or ended before it was there. timeout: something took too long. bad_answer: it was
 * answered, but not as one that is well does. forbidden: nothing may be connected to there, so nothing was.
 */
export type ProbeResult = "success" | "no_connection" | "timeout" | "bad_answer" | "forbidden";

export interface ProbeAnswer {
  readonly result: ProbeResult;
  /** In words, for a log; holds nothing that a backend can choose but a status or a close code. */
  readonly why: string;
}

/** A backend begins to fail a probe, or is well again. */
export interface VerdictNews {
  readonly verdict: "failing" | "well";
  /** Of the upstreams that have it, the first for which it was probed. */
  readonly backend: Backend;
  readonly active: ActiveHealth;
  /** The answer that decided. */
  readonly answer: ProbeAnswer;
}

/** What health tells; calls are cheap and never throw. */
export interface HealthObserver {
  /** Each probe's end. */
  probed(type: ActiveHealth["type"], result: ProbeResult): void;
  verdict(news: VerdictNews): void;
  /** Rules ask for more kinds of probes of one upstream than are done; the latest is left out. */
  crowded(upstream: UpstreamKey, most: number): void;
}
