export interface LogBudgetOptions {
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Lines allowed in each window, per key. */
  readonly linesPerWindow: number;
  readonly windowMs: number;
}

interface Window {
  startedAtMs: number;
  lines: number;
  suppressed: number;
}

/**
 * How many lines of a kind may be written: the first few in each window, so that a flood of requests cannot fill a
 * disk. What was held back is said with the next line that is written. Keys must be few: one window is kept for each.
 */
export class LogBudget {
  readonly #options: LogBudgetOptions;
  readonly #windows = new Map<string, Window>();

  constructor(options: LogBudgetOptions) {
    this.#options = options;
  }

  /** How many lines were held back since the last one written; undefined = this one is held back too. */
  take(key: string): number | undefined {
    const nowMs = this.#options.now();
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = { startedAtMs: nowMs, lines: 0, suppressed: 0 };
      this.#windows.set(key, window);
    }
    if (nowMs - window.startedAtMs >= this.#options.windowMs) {
      window.startedAtMs = nowMs;
      window.lines = 0;
    }
    if (window.lines >= this.#options.linesPerWindow) {
      window.suppressed++;
      return undefined;
    }
    window.lines++;
    const { suppressed } = window;
    window.suppressed = 0;
    return suppressed;
  }
}
