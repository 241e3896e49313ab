import type { After } from "./types.ts";
import { pause } from "./waiting.ts";

/** So long, in milliseconds, others wait at most for long work. */
const TURN_MS = 4;

export interface TurnsParts {
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  readonly after: After;
  /** Nobody waits for a turn any more when it aborts. */
  readonly signal: AbortSignal;
}

/** Long work in turns: between two of them whatever else is due has its own. */
export class Turns {
  readonly #parts: TurnsParts;
  #startedMs: number;

  /** The first turn begins. */
  constructor(parts: TurnsParts) {
    this.#parts = parts;
    this.#startedMs = parts.now();
  }

  /** It is for others to go on. */
  get isOver(): boolean {
    return this.#parts.now() - this.#startedMs >= TURN_MS;
  }

  /** Resolves when all others had their turn, or at once when the signal aborts. */
  async next(): Promise<void> {
    const { now, after, signal } = this.#parts;
    await pause(0, after, signal);
    this.#startedMs = now();
  }
}
