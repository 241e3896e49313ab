/**
 * How many of `total` tunnels should have been told to close when `elapsedMs` of the spread have passed: the first at
 * its beginning, then one after equal steps, the last a step before its end. A spread of 0 means all at once.
 */
export function closesDue(total: number, elapsedMs: number, spreadMs: number): number {
  if (total <= 0 || elapsedMs < 0) return 0;
  if (elapsedMs >= spreadMs) return total;
  return Math.min(total, Math.floor((total * elapsedMs) / spreadMs) + 1);
}

/** The order of closing: who has been silent longest first, since they miss least. */
export function idlestFirst<Item extends { readonly lastActiveAtMs: number }>(tunnels: Iterable<Item>): Item[] {
  return [...tunnels].sort((a, b) => a.lastActiveAtMs - b.lastActiveAtMs);
}
