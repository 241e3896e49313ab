/**
 * A rate per second with a burst of one second's worth. What does not fit is taken all the same and has to be waited
 * for: bytes that have been read cannot be unread. No timers: whoever asks says what time it is.
 */
export class TokenBucket {
  readonly #ratePerSecond: number;
  /** In thousandths of a token, so that whole milliseconds at a whole rate leave no fraction. Below 0 is debt. */
  #level: number;
  #atMs: number;

  /** Full. @param ratePerSecond Above 0. */
  constructor(ratePerSecond: number, nowMs: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#level = ratePerSecond * 1_000;
    this.#atMs = nowMs;
  }

  /** Takes, and returns the whole milliseconds after which the debt is paid and more may be taken; 0 = at once. */
  take(count: number, nowMs: number): number {
    // A clock that goes back gives nothing, and nothing twice.
    if (nowMs > this.#atMs) {
      const gained = (nowMs - this.#atMs) * this.#ratePerSecond;
      this.#level = Math.min(this.#level + gained, this.#ratePerSecond * 1_000);
      this.#atMs = nowMs;
    }
    this.#level -= count * 1_000;
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#ratePerSecond);
  }
}
