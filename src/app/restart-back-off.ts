const FIRST_RESTART_MS = 100;
const SLOWEST_RESTART_MS = 30_000;
/** A thread that lived so long had not failed at its start: the back-off begins anew. */
const HEALTHY_AFTER_MS = 60_000;

/** How long to wait until a thread that ended unasked is started again. */
export class RestartBackOff {
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 to below 1; for jitter. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The pause in milliseconds after a thread that lived so long. */
  after(livedMs: number): number {
    this.#failures = livedMs >= HEALTHY_AFTER_MS ? 1 : this.#failures + 1;
    return restartDelay(this.#failures, this.#random());
  }
}

/** The pause before the n-th start in a row: doubles up to half a minute, less up to a quarter at random. */
export function restartDelay(failures: number, random: number): number {
  const fullMs = Math.min(SLOWEST_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(fullMs * (1 - random / 4));
}
