const FIRST_MS = 250;
/** Stale endpoints harm more than one request in ten seconds. */
const LONGEST_MS = 10_000;

/**
 * How long to wait after so many failures in a row, in milliseconds: doubling, with half of it left to chance, so that
 * those who failed together do not come back together. `random` is 0 to 1.
 */
export function backOffMs(failures: number, random: () => number): number {
  const wholeMs = Math.min(FIRST_MS * 2 ** Math.max(0, failures - 1), LONGEST_MS);
  return wholeMs * (0.5 + random() / 2);
}
