/** Nobody is told to come back later than that. */
const LATEST_S = 60;

/** 0 to below 1. */
type Random = () => number;

/** One of `from` to `to` seconds, each as likely. */
export function spread(from: number, to: number, random: Random): number {
  return from + Math.floor(random() * (to - from + 1));
}

/**
 * When those that a rate refuses are to come back: each gets the next moment at which the rate has room for one more, so that
 * however many there are, they come as fast as they can be served and no faster.
 */
export class Appointments {
  /** The first moment that nobody was given. */
  #freeMs = Number.NEGATIVE_INFINITY;

  /** In whole seconds from now. `ahead`: those that wait already. */
  next({ nowMs, perSecond, ahead }: { nowMs: number; perSecond: number; ahead: number }, random: Random): number {
    const atMs = Math.max(this.#freeMs, nowMs + (ahead * 1_000) / perSecond);
    const inS = (atMs - nowMs) / 1_000;
    // There are no more moments: whoever comes then will be given another one.
    if (inS > LATEST_S) return spread(LATEST_S / 2, LATEST_S, random);
    this.#freeMs = atMs + 1_000 / perSecond;
    // Seconds are coarse; rounded up by chance, those of one second come in two, and none before its moment.
    return Math.min(LATEST_S, Math.max(1, Math.ceil(inS + random())));
  }
}
