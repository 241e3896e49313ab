const SECOND_MS = 1000;

/**
 * Lets at most `perSecond` through in any second. It has no burst, and what a late timer missed is made up for as far as it
 * may be late, and no further: steps of (1 s + lateness) / perSecond leave room for that.
 */
export class RateGate {
  readonly #lateMs: number;
  #stepMs = 0;
  #nextMs = Number.NEGATIVE_INFINITY;

  /** @param lateMs how late whoever asks may be: with a tenth of a second, nine tenths of the rate are reached. */
  constructor(lateMs: number) {
    this.#lateMs = lateMs;
  }

  /** When the next one may pass; long ago where nothing limits. */
  get nextMs(): number {
    return this.#stepMs === 0 ? Number.NEGATIVE_INFINITY : this.#nextMs;
  }

  /** From then on a fresh gate would do as well. */
  get forgottenAtMs(): number {
    return this.nextMs + this.#lateMs;
  }

  /** @param perSecond 0 = any number. */
  setRate(perSecond: number): void {
    this.#stepMs = perSecond === 0 ? 0 : (SECOND_MS + this.#lateMs) / perSecond;
  }

  /** One passes; to be asked for only when `nextMs` is reached. */
  pass(nowMs: number): void {
    this.#nextMs = Math.max(this.#nextMs, nowMs - this.#lateMs) + this.#stepMs;
  }
}
