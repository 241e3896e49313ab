export interface TokenBucketOptions {
  /** How many may be taken at once after a quiet time. */
  readonly burst: number;
  readonly perSecond: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}

/** Bounds how often something happens: each time takes a token, and tokens come back at a steady rate. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #countedMs: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#countedMs = options.now();
  }

  /** Nothing was taken for a long time. */
  get isFull(): boolean {
    this.#refill();
    return this.#tokens === this.#options.burst;
  }

  /** Takes a token if there is one. */
  take(): boolean {
    if (this.waitMs() > 0) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  /** Milliseconds until there is a token; 0 = now. */
  waitMs(): number {
    this.#refill();
    // What rounding eats of a token must not make anybody wait for nothing, again and again.
    const missing = 1 - this.#tokens;
    return missing < 1e-6 ? 0 : (missing / this.#options.perSecond) * 1000;
  }

  #refill(): void {
    const { burst, perSecond, now } = this.#options;
    const nowMs = now();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#countedMs) / 1000) * perSecond);
    this.#countedMs = nowMs;
  }
}
