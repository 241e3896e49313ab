import type { RosterMember } from "./roster.ts";

/** A flow whose sink may be slow. */
export interface BufferHolder extends RosterMember {
  /** Estimate of the memory that waits for the sink, overhead included; 0 = nothing waits. */
  readonly waitingBytes: number;
  /** When the sink last took all that waited, on the wheel's clock; the time of a `release` does no harm. */
  readonly movedAtMs: number;
  /** Written by the budget only; undefined to begin with. */
  budgetStanding: BudgetStanding | undefined;
  /** Stops and goes on reading the source. Idempotent, and no matter of other reasons to rest. */
  hold(): void;
  release(): void;
  /** Ends the tunnel, told with cause `buffers_full`. What waits may still take a while to go. */
  shed(): void;
}

/** What a budget knows of a flow that it has held or watched. */
export interface BudgetStanding {
  isHeld: boolean;
  /** Held for its own size, whatever the sum is. */
  isHeavy: boolean;
  isShed: boolean;
  /** As seen at the last look. */
  lastBytes: number;
  lastMoveMs: number;
  /** When it was last seen that the sink had taken something. */
  movedAtMs: number;
}

/** Of a flow that has just been seen. */
export function newStanding(holder: BufferHolder, nowMs: number): BudgetStanding {
  const { waitingBytes, movedAtMs } = holder;
  return {
    isHeld: false,
    isHeavy: false,
    isShed: false,
    lastBytes: waitingBytes,
    lastMoveMs: movedAtMs,
    movedAtMs: nowMs,
  };
}

/** Notes what waits now, and whether the sink has taken any of it since the last look. */
export function watch(standing: BudgetStanding, holder: BufferHolder, nowMs: number): void {
  const { waitingBytes, movedAtMs } = holder;
  if (waitingBytes < standing.lastBytes || movedAtMs !== standing.lastMoveMs) standing.movedAtMs = nowMs;
  standing.lastBytes = waitingBytes;
  standing.lastMoveMs = movedAtMs;
}
