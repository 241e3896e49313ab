import type { Deed, Side, TunnelRecord } from "./tunnel-record.ts";

/**
 * Which code the proxy itself says to whom, by cause: the table of what users are promised, written down a second time
 * so that the first is checked.
 */
export const CODES_BY_CAUSE: Readonly<Record<string, Readonly<Partial<Record<Side, number>>>>> = {
  client_lost: { backend: 1001 },
  backend_lost: { client: 1012, backend: 1001 },
  client_dead: { backend: 1001 },
  backend_dead: { client: 1012, backend: 1001 },
  idle: { client: 1001, backend: 1001 },
  lifetime: { client: 1001, backend: 1001 },
  protocol_error: { client: 1002, backend: 1002 },
  message_too_big: { client: 1009, backend: 1009 },
  too_many_fragments: { client: 1008, backend: 1008 },
  rate_limit: { client: 1008, backend: 1008 },
};

const GONE: readonly Deed[] = ["fin", "reset", "destroy", "killed"];

/** Who must have done what for a cause to be true; causes of time alone are not here. */
const DEEDS_BY_CAUSE: Readonly<Record<string, readonly (readonly [Side, readonly Deed[]])[]>> = {
  client_close: [["client", ["close"]]],
  backend_close: [["backend", ["close"]]],
  client_lost: [["client", GONE]],
  backend_lost: [["backend", GONE]],
  client_dead: [["client", ["mute"]]],
  backend_dead: [["backend", ["mute"]]],
  protocol_error: [
    ["client", ["violation"]],
    ["backend", ["violation"]],
  ],
  message_too_big: [
    ["client", ["too_big"]],
    ["backend", ["too_big"]],
  ],
  too_many_fragments: [
    ["client", ["too_many_fragments"]],
    ["backend", ["too_many_fragments"]],
  ],
  rate_limit: [["client", ["too_fast"]]],
};

/** The deed and the cause are no further apart than this, beyond what the rule itself waits. */
const SOON_MS = 5_000;
/** Activity is dated by a clock of 50 ms, which runs behind on a loaded machine. */
const COARSE_MS = 100;

/** Why a cause does not follow from what the sides did; undefined = it does. */
export function explanationProblem(record: TunnelRecord, cause: string, durationMs: number): string | undefined {
  if (cause === "idle") return idleProblem(record);
  if (cause === "lifetime") return lifetimeProblem(record, durationMs);
  const wanted = DEEDS_BY_CAUSE[cause];
  if (wanted === undefined) return `nothing explains the cause ${cause}`;
  const isDone = wanted.some(([side, deeds]) => record.did(side, ...deeds));
  if (!isDone) return `the log says ${cause}, and nobody did that`;
  const [first] = record.faults;
  const isFirst = wanted.some(([side, deeds]) => first?.side === side && deeds.includes(first.deed));
  // Deeds of both sides may cross on their way; else what came first is what counts.
  const isCrossed = wanted.some(([side, deeds]) =>
    record.faults.some(
      (fault) => fault.side === side && deeds.includes(fault.deed) && fault.atMs - (first?.atMs ?? 0) < SOON_MS,
    ),
  );
  const isAnswer = record.faults.find((fault) =>
    wanted.some(([side, deeds]) => fault.side === side && deeds.includes(fault.deed)),
  )?.isAnswer;
  return isFirst || (isCrossed && isAnswer !== true)
    ? undefined
    : `the log says ${cause}, and ${first?.side} ${first?.deed} came first`;
}

function idleProblem({ rule, lastSentMs, notices }: TunnelRecord): string | undefined {
  if (rule.idleMs === undefined) return "closed as idle under a rule without an idle timeout";
  const toldMs = Math.min(notices.client.closeAtMs ?? Infinity, notices.backend.closeAtMs ?? Infinity);
  const quietMs = toldMs - lastSentMs;
  if (quietMs < rule.idleMs - COARSE_MS) return `closed as idle after ${Math.round(quietMs)} ms of silence`;
  return quietMs > rule.idleMs + SOON_MS ? `closed as idle only after ${Math.round(quietMs)} ms of silence` : undefined;
}

function lifetimeProblem({ rule }: TunnelRecord, durationMs: number): string | undefined {
  if (rule.lifetime === undefined) return "closed by lifetime under a rule without one";
  const { maxMs, jitterPercent } = rule.lifetime;
  const leastMs = maxMs * (1 - jitterPercent / 100);
  const mostMs = maxMs + 7_000 + SOON_MS;
  const isWithin = durationMs >= leastMs && durationMs <= mostMs;
  return isWithin ? undefined : `closed by lifetime at ${durationMs} ms, not within ${leastMs} to ${mostMs}`;
}
