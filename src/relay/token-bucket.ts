/**
 * A rate per second, with a burst after a quiet time. No timers: whoever asks says what time it is.
 */
export class TokenBucket {
  readonly #ratePerSecond: number;
  readonly #burst: number;
  /** In thousandths of a token, so that whole milliseconds at a whole rate leave no fraction. Below 0 is debt. */
  #level: number;
  #atMs: number;

  /** Full. @param ratePerSecond Above 0. @param burst What may be taken at once; not given = one second's worth. */
  constructor(ratePerSecond: number, nowMs: number, burst: number = ratePerSecond) {
    this.#ratePerSecond = ratePerSecond;
    this.#burst = burst;
    this.#level = burst * 1_000;
    this.#atMs = nowMs;
  }

  /**
   * Takes even what is not there: bytes that have been read cannot be unread. Returns the whole milliseconds after which the debt
   * is paid and more may be taken; 0 = at once.
   */
  take(count: number, nowMs: number): number {
    this.#fill(nowMs);
    this.#level -= count * 1_000;
    return this.#waitMs(0);
  }

  /** Takes if so many are there and returns 0; else takes nothing, and returns after how many milliseconds they are. */
  tryTake(count: number, nowMs: number): number {
    this.#fill(nowMs);
    const waitMs = this.#waitMs(count * 1_000);
    if (waitMs === 0) this.#level -= count * 1_000;
    return waitMs;
  }

  #fill(nowMs: number): void {
    // A clock that goes back gives nothing, and nothing twice.
    if (nowMs <= this.#atMs) return;
    const gained = (nowMs - this.#atMs) * this.#ratePerSecond;
    this.#level = Math.min(this.#level + gained, this.#burst * 1_000);
    this.#atMs = nowMs;
  }

  /** Until the level is so high. */
  #waitMs(level: number): number {
    return this.#level >= level ? 0 : Math.ceil((level - this.#level) / this.#ratePerSecond);
  }
}
