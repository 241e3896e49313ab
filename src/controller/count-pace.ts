import type { NamespacedName } from "../graph/index.ts";
import type { StatusDifference } from "../status/index.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Between two rounds in which counts are written that nobody waits for. */
const ROUND_MS = 30_000;
const MOST_A_ROUND = 100;
/** Changes to and from zero go at once: so many at a time, and so many a second for long. */
const SERVING_BURST = 100;
const SERVING_PER_SECOND = 2;
/** A route that flaps gets two of these in such a time (down and up again), and then waits for a round. */
const FLAP_MS = 20_000;
const HELD_SERVING_MS = 1000;

/** What may be written of counts that differ. */
export interface DueCounts {
  readonly due: readonly StatusDifference[];
  /** Milliseconds until some of what was held back may go; undefined = nothing was. */
  readonly againMs: number | undefined;
}

/**
 * How often counts are written. Pods come and go all the time, and each write goes to all who watch routes: that a
 * route began or ceased to have ready backends is told at once, how many they are in rounds, a share at a time.
 */
export class CountPace {
  readonly #now: () => number;
  readonly #serving: TokenBucket;
  /** The last two times at which a route's change to or from zero was let through, unless long ago. */
  readonly #servingMs = new Map<NamespacedName, readonly [number, number]>();
  #nextRoundMs = -Infinity;
  /** The round's last route: the next round begins behind it, so that all have their turn. */
  #last: NamespacedName = "";

  constructor(now: () => number) {
    this.#now = now;
    this.#serving = new TokenBucket({ burst: SERVING_BURST, perSecond: SERVING_PER_SECOND, now });
  }

  /** Those that may be written now; they count as written. `differences` are in order of the routes' names. */
  take(differences: readonly StatusDifference[]): DueCounts {
    this.#forgetOld();
    const due: StatusDifference[] = [];
    const held: StatusDifference[] = [];
    for (const difference of differences) {
      const isDue = difference.cause === "Serving" && this.#takeServing(difference.route);
      (isDue ? due : held).push(difference);
    }
    const lazy = this.#takeRound(held);
    if (lazy.length === held.length) return { due: [...due, ...lazy], againMs: undefined };
    const isServingHeld = held.some(({ cause }) => cause === "Serving");
    const roundMs = Math.max(0, this.#nextRoundMs - this.#now());
    return { due: [...due, ...lazy], againMs: isServingHeld ? Math.min(HELD_SERVING_MS, roundMs) : roundMs };
  }

  #takeServing(route: NamespacedName): boolean {
    const [beforeLast, last] = this.#servingMs.get(route) ?? [-Infinity, -Infinity];
    const nowMs = this.#now();
    if (nowMs - beforeLast < FLAP_MS || !this.#serving.take()) return false;
    this.#servingMs.set(route, [last, nowMs]);
    return true;
  }

  #takeRound(held: readonly StatusDifference[]): readonly StatusDifference[] {
    const nowMs = this.#now();
    if (held.length === 0 || nowMs < this.#nextRoundMs) return [];
    this.#nextRoundMs = nowMs + ROUND_MS;
    const behind = held.filter(({ route }) => route > this.#last);
    const inTurn = [...behind, ...held.slice(0, held.length - behind.length)].slice(0, MOST_A_ROUND);
    this.#last = inTurn.at(-1)?.route ?? "";
    return inTurn;
  }

  #forgetOld(): void {
    const oldMs = this.#now() - FLAP_MS;
    for (const [route, [, last]] of this.#servingMs) if (last <= oldMs) this.#servingMs.delete(route);
  }
}
