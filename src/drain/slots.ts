/** In the middle half of its slot: two neighbours never fall together, and replicas do not march in step. */
const EARLIEST = 0.25;
const WIDTH = 0.5;
/** What a late timer missed is made up for as far back as so many ticks, and spread over what is left beyond that. */
const MADE_UP_TICKS = 4;
/** Whoever stays behind hastens by so much at most, as long as the reserve lasts. */
const MOST_HASTE = 1.4;

/** On the clock of whoever asks. */
export interface Window {
  readonly beginMs: number;
  /** The last one is due before. */
  readonly endMs: number;
  /** Delays may use the time until then; not given = none. */
  readonly reserveEndMs?: number;
}

/**
 * Spreads what is left evenly over the time that is left: the time is cut into as many slots as there are items, and one
 * item is due at a random place in the middle of each. Both numbers may change at any time; the slots to come follow.
 */
export class Slots {
  readonly #random: () => number;
  readonly #madeUpMs: number;
  #endMs: number;
  #reserveEndMs: number;
  /** No slot is shorter, as long as the reserve lasts. */
  #shortestMs = 0;
  /** Where the slot under way begins. */
  #beginMs: number;
  /** How far into its slot the next item is due, 0 to 1. */
  #place: number;

  /** @param tickMs how late whoever asks may be. */
  constructor({ beginMs, endMs, reserveEndMs = endMs }: Window, random: () => number, tickMs: number) {
    this.#random = random;
    this.#madeUpMs = MADE_UP_TICKS * tickMs;
    this.#beginMs = beginMs;
    this.#endMs = endMs;
    this.#reserveEndMs = reserveEndMs;
    this.#place = this.#draw();
  }

  /** When the next of `count` items is due; they may be more or fewer than the time before. */
  dueMs(count: number): number {
    return this.#beginMs + this.#lengthMs(count) * this.#place;
  }

  /** One of `count` has been taken: the next slot begins. */
  take(count: number, nowMs: number): void {
    this.#beginMs = Math.max(this.#beginMs + this.#lengthMs(count), nowMs - this.#madeUpMs);
    this.#place = this.#draw();
  }

  /** More have come, so slots are shorter: the one under way ends now, or the next one begins one of them later at most. */
  grew(count: number, nowMs: number): void {
    if (nowMs >= this.#endMs) return;
    if (this.#beginMs > nowMs) this.#beginMs = Math.min(this.#beginMs, nowMs + (this.#endMs - nowMs) / count);
    else if (count > 1 && this.#beginMs + this.#lengthMs(count) < nowMs) {
      // The slot that ends now, as long as those that follow.
      this.#beginMs = (count * nowMs - this.#endMs) / (count - 1);
    }
    this.#shortestMs = (this.#endMs - nowMs) / count / MOST_HASTE;
  }

  /** Spreads over another time from now on. */
  restart({ beginMs, endMs, reserveEndMs = endMs }: Window): void {
    this.#beginMs = beginMs;
    this.#endMs = endMs;
    this.#reserveEndMs = reserveEndMs;
    this.#shortestMs = 0;
    this.#place = this.#draw();
  }

  #lengthMs(count: number): number {
    const evenMs = Math.max(0, this.#endMs - this.#beginMs) / Math.max(1, count);
    if (evenMs >= this.#shortestMs) return evenMs;
    const reservedMs = Math.max(0, this.#reserveEndMs - this.#beginMs) / Math.max(1, count);
    return Math.max(evenMs, Math.min(reservedMs, this.#shortestMs));
  }

  #draw(): number {
    return EARLIEST + WIDTH * this.#random();
  }
}
