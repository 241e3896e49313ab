/** Ends that are served at once in a turn of the event loop: all of them, but in a storm. */
const AT_ONCE = 16;
/** Those that wait are served for so long in each turn, and at most so many. */
const SLICE_MS = 2;
const MOST_IN_SLICE = 256;

export interface EndPaceOptions {
  /** A monotonic clock in milliseconds, exact. */
  readonly now: () => number;
  /** Calls back when the event loop has looked at every socket: `setImmediate`. */
  readonly nextTurn: (callback: () => void) => void;
}

/**
 * Serves the ends of sockets in the order in which they came, a few in each turn of the event loop. When a backend dies, the ends of all
 * its tunnels come at once, and each is much work: the other side is told, answers, and closes. In one go that would keep
 * all other tunnels waiting for seconds.
 */
export class EndPace {
  readonly #options: EndPaceOptions;
  #left = AT_ONCE;
  #isTurnAsked = false;
  #waiting: (() => void)[] = [];
  /** Those before it have been served. */
  #next = 0;

  constructor(options: EndPaceOptions) {
    this.#options = options;
  }

  /** Ends that wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /** True: the end is to be served now. False: it is to be given to `later`. */
  takeTurn(): boolean {
    if (this.#left === 0 || this.size > 0) return false;
    this.#left--;
    this.#askForTurn();
    return true;
  }

  /** `serve` is called in a later turn, after all that were given before. */
  later(serve: () => void): void {
    this.#waiting.push(serve);
    this.#askForTurn();
  }

  #askForTurn(): void {
    if (this.#isTurnAsked) return;
    this.#isTurnAsked = true;
    this.#options.nextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnAsked = false;
    this.#left = AT_ONCE;
    if (this.size === 0) return;
    const { now } = this.#options;
    const untilMs = now() + SLICE_MS;
    try {
      for (let count = 0; count < MOST_IN_SLICE && this.size > 0; count++) {
        this.#waiting[this.#next++]?.();
        if (now() >= untilMs) break;
      }
    } finally {
      if (this.size > 0) this.#askForTurn();
      else {
        this.#waiting = [];
        this.#next = 0;
      }
    }
  }
}
