import type { BackendId } from "./types.ts";

/** A backend is passed over for so long after a dial that failed, twice as long after each further one in a row. */
const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** A trial has so long to come to an end; longer than a dial may take. */
const TRIAL_MS = 5_000;

interface Doubt {
  /** In a row. */
  failures: number;
  untilMs: number;
  /** Somebody has been sent there since the last failure. */
  isTried: boolean;
}

/**
 * Backends whose last dial failed. Until the source says that they are not ready, which takes the better part of a minute
 * when a machine dies, they look as if they were free: without doubts the emptiest would be dialled first by everyone.
 * When its time is over one request may try, and while it does the others go on passing the backend over.
 */
export class Doubts {
  readonly #now: () => number;
  readonly #doubts = new Map<BackendId, Doubt>();

  /** `now`: a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whom a request should pass over that has tried these; the same set where nobody is doubted. */
  addTo(tried: ReadonlySet<BackendId>): ReadonlySet<BackendId> {
    if (this.#doubts.size === 0) return tried;
    const nowMs = this.#now();
    const all = new Set(tried);
    for (const [id, { untilMs }] of this.#doubts) if (untilMs > nowMs) all.add(id);
    return all;
  }

  /** It is passed over now. */
  has(id: BackendId): boolean {
    return (this.#doubts.get(id)?.untilMs ?? Number.NEGATIVE_INFINITY) > this.#now();
  }

  /** A request goes there: no other one until it is known how that ends. */
  chosen(id: BackendId): void {
    const doubt = this.#doubts.get(id);
    if (doubt === undefined) return;
    doubt.untilMs = this.#now() + Math.max(TRIAL_MS, pauseMs(doubt.failures));
    doubt.isTried = true;
  }

  /** It could not be dialled. Of many dials that were under way at once the first says it for all. */
  failed(id: BackendId): void {
    const doubt = this.#doubts.get(id);
    if (doubt?.isTried === false) return;
    const failures = Math.min(32, (doubt?.failures ?? 0) + 1);
    this.#doubts.set(id, { failures, untilMs: this.#now() + pauseMs(failures), isTried: false });
  }

  /** It answered, or is gone for good. */
  dispel(id: BackendId): void {
    if (this.#doubts.size > 0) this.#doubts.delete(id);
  }
}

function pauseMs(failures: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
}
