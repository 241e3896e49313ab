const SECOND_MS = 1000;

/**
 * Lets at most `perSecond` through in any second. It has no burst, and what a late timer missed is not made up for beyond
 * one tick: steps of (1 s + a tick) / perSecond leave room for that.
 */
export class RateGate {
  readonly #tickMs: number;
  #stepMs = 0;
  #nextMs = Number.NEGATIVE_INFINITY;

  /** @param tickMs how late whoever asks may be. */
  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /** When the next one may pass; long ago where nothing limits. */
  get nextMs(): number {
    return this.#stepMs === 0 ? Number.NEGATIVE_INFINITY : this.#nextMs;
  }

  /** @param perSecond 0 = any number. */
  setRate(perSecond: number): void {
    this.#stepMs = perSecond === 0 ? 0 : (SECOND_MS + this.#tickMs) / perSecond;
  }

  /** One passes; to be asked for only when `nextMs` is reached. */
  pass(nowMs: number): void {
    this.#nextMs = Math.max(this.#nextMs, nowMs - this.#tickMs) + this.#stepMs;
  }
}
