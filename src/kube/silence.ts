import type { After } from "../controller/index.ts";

export interface SilenceOptions {
  readonly silenceMs: number;
  readonly after: After;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  readonly onSilence: () => void;
}

/** Calls back once when nothing was heard for a time. Hearing costs one read of the clock; the timer follows behind. */
export class Silence {
  readonly #options: SilenceOptions;
  #lastHeardMs: number;
  #cancel: () => void;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#lastHeardMs = options.now();
    this.#cancel = options.after(options.silenceMs, () => this.#look());
  }

  heard(): void {
    this.#lastHeardMs = this.#options.now();
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const { silenceMs, after, now, onSilence } = this.#options;
    const leftMs = this.#lastHeardMs + silenceMs - now();
    if (leftMs <= 0) onSilence();
    else this.#cancel = after(leftMs, () => this.#look());
  }
}
