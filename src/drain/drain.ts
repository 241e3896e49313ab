import { Slots, type Window } from "./slots.ts";
import type { DrainableTunnel, DrainFacts, DrainState, DrainTarget, CloseTerms, Pace } from "./types.ts";

/** At the end of a drain's time, closes may still wait so long for the end of a message (design: planned ends). */
const TAIL_MS = 2_000;
/** In a short time the tail is this share of it. */
const TAIL_SHARE = 0.2;

export interface DrainOptions {
  readonly target: DrainTarget;
  readonly pace: Pace;
  readonly terms: CloseTerms;
  /** Stays in force when nobody is left in it, for those that are yet to come. */
  readonly isLasting: boolean;
  readonly nowMs: number;
  /** 0 to below 1. */
  readonly random: () => number;
  /** How late whoever asks may be. */
  readonly tickMs: number;
}

/**
 * Tunnels that are to be closed, one after the other: those first that have been silent longest, since they miss least.
 * Knows whose turn it is and when; somebody else has the clock.
 */
export class Drain {
  readonly isLasting: boolean;
  /** More are expected until then: it is not done before. */
  notDoneBeforeMs = Number.NEGATIVE_INFINITY;
  readonly #target: DrainTarget;
  #pace: Pace;
  #terms: CloseTerms;
  /** In the order of closing. */
  readonly #waiting = new Set<DrainableTunnel>();
  readonly #closing = new Set<DrainableTunnel>();
  readonly #slots: Slots;
  #startedAtMs: number;
  #gone = 0;
  #state: DrainState = "running";

  constructor({ target, pace, terms, isLasting, nowMs, random, tickMs }: DrainOptions) {
    this.isLasting = isLasting;
    this.#target = target;
    this.#pace = pace;
    this.#terms = terms;
    this.#startedAtMs = nowMs;
    this.#slots = new Slots(windowOf(nowMs, pace), random, tickMs);
  }

  get facts(): DrainFacts {
    return {
      ...this.#target,
      ...this.#pace,
      state: this.#state,
      waiting: this.#waiting.size,
      closing: this.#closing.size,
      gone: this.#gone,
      startedAtMs: this.#startedAtMs,
      endsAtMs: this.endsAtMs,
    };
  }

  get id(): string {
    return this.#target.id;
  }

  get state(): DrainState {
    return this.#state;
  }

  get endsAtMs(): number {
    return this.#startedAtMs + this.#pace.withinMs;
  }

  /** When it is late; Infinity: never, since it has no time to keep. */
  get deadlineMs(): number {
    return this.#pace.withinMs === 0 ? Number.POSITIVE_INFINITY : this.endsAtMs;
  }

  /** Nobody waits for a Close, and nobody's Close is under way. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#closing.size === 0;
  }

  /** When the next tunnel is due; Infinity: none waits. */
  get dueMs(): number {
    return this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : this.#slots.dueMs(this.#waiting.size);
  }

  has(tunnel: DrainableTunnel): boolean {
    return this.#waiting.has(tunnel) || this.#closing.has(tunnel);
  }

  /** Takes tunnels in; those that are here already stay where they are. */
  add(tunnels: readonly DrainableTunnel[], nowMs: number): void {
    const fresh = tunnels.filter((tunnel) => !this.has(tunnel));
    if (fresh.length === 0) return;
    fresh.sort((a, b) => a.lastActiveAtMs - b.lastActiveAtMs);
    for (const tunnel of fresh) (tunnel.isEnding ? this.#closing : this.#waiting).add(tunnel);
    if (this.#waiting.size > 0) this.#slots.grew(this.#waiting.size, nowMs);
    if (this.#state === "done") this.#state = nowMs < this.deadlineMs ? "running" : "late";
  }

  /** Closes the next one. */
  closeNext(nowMs: number): void {
    for (const tunnel of this.#waiting) {
      const count = this.#waiting.size;
      this.#waiting.delete(tunnel);
      this.#closing.add(tunnel);
      // Another drain, or one of its peers, was first.
      if (tunnel.isEnding) continue;
      this.#slots.take(count, nowMs);
      tunnel.close(this.#terms.cause, this.#terms.words);
      return;
    }
  }

  /** A tunnel is gone; unknown ones are no harm. */
  remove(tunnel: DrainableTunnel): void {
    if (this.#waiting.delete(tunnel) || this.#closing.delete(tunnel)) this.#gone += 1;
  }

  /** New orders for what still waits. The time runs anew if it is another one, or was up. */
  order(pace: Pace, terms: CloseTerms, nowMs: number): void {
    this.#terms = terms;
    const isOther = pace.withinMs !== this.#pace.withinMs || this.#state !== "running";
    this.#pace = pace;
    if (!isOther) return;
    this.#startedAtMs = nowMs;
    this.#slots.restart(windowOf(nowMs, pace));
    if (this.#waiting.size > 0) this.#slots.grew(this.#waiting.size, nowMs);
    if (this.#state === "late") this.#state = "running";
  }

  /** Its state follows what became of it: `done` when nobody is left, `late` when its time is up before. */
  settle(state: "late" | "done"): void {
    this.#state = state;
  }

  /** Nobody is closed any more; those whose Close is under way go. */
  stop(): void {
    this.#state = "stopped";
  }
}

function windowOf(nowMs: number, { withinMs }: Pace): Window {
  const reserveEndMs = nowMs + withinMs;
  return { beginMs: nowMs, endMs: reserveEndMs - Math.min(TAIL_MS, withinMs * TAIL_SHARE), reserveEndMs };
}
