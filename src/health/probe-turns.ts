export interface ProbeTurnsOptions {
  /** Turns that are had at once. */
  readonly most: number;
  /** Of those, the turns of one lane. */
  readonly mostOfLane: number;
}

/** Good for `end` only, which gives the turn back, had or still waited for; calling it again does nothing. */
export interface ProbeTurn {
  end(): void;
}

interface Lane {
  running: number;
  /** First come, first served; a set, since those who give up leave from the middle. */
  readonly waiting: Set<() => void>;
}

/**
 * How many probes may be under way at once. Each lane has a bound of its own, and lanes that wait are served in turn: one that asks
 * a thousand silent backends keeps no other from asking its three.
 */
export class ProbeTurns {
  readonly #options: ProbeTurnsOptions;
  readonly #lanes = new Map<string, Lane>();
  /** Those with somebody who waits and may be served, in the order of their turns. */
  readonly #hungry = new Set<string>();
  #running = 0;

  constructor(options: ProbeTurnsOptions) {
    this.#options = options;
  }

  /** Probes under way. */
  get running(): number {
    return this.#running;
  }

  /** `start` is called when it is its turn, which may be at once. */
  take(name: string, start: () => void): ProbeTurn {
    const lane = this.#lanes.get(name) ?? { running: 0, waiting: new Set() };
    this.#lanes.set(name, lane);
    let state: "waiting" | "running" | "over" = "waiting";
    const begin = (): void => {
      state = "running";
      lane.running++;
      this.#running++;
      start();
    };
    lane.waiting.add(begin);
    this.#hungry.add(name);
    this.#serve();
    return {
      end: () => {
        if (state === "running") {
          lane.running--;
          this.#running--;
          if (lane.waiting.size > 0) this.#hungry.add(name);
        } else {
          lane.waiting.delete(begin);
        }
        state = "over";
        if (lane.running === 0 && lane.waiting.size === 0 && this.#lanes.get(name) === lane) this.#lanes.delete(name);
        this.#serve();
      },
    };
  }

  #serve(): void {
    const { most, mostOfLane } = this.#options;
    for (const name of this.#hungry) {
      if (this.#running >= most) return;
      this.#hungry.delete(name);
      const lane = this.#lanes.get(name);
      const [first] = lane?.waiting ?? [];
      if (lane === undefined || first === undefined || lane.running >= mostOfLane) continue;
      lane.waiting.delete(first);
      // To the end of the row; the loop comes by again.
      if (lane.waiting.size > 0) this.#hungry.add(name);
      first();
    }
  }
}
