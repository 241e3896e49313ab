/** A histogram at one moment. */
export interface HistogramCounts {
  /** Upper bounds, rising. */
  readonly bounds: readonly number[];
  /** How many values were not above each bound; one more number than bounds: all values. */
  readonly atMost: readonly number[];
  readonly sum: number;
}

/**
 * How many durations fell between which bounds. Plain numbers, not a prom-client series: an event costs a short walk
 * over the bounds and leaves nothing to collect.
 */
export class DurationHistogram {
  readonly #bounds: readonly number[];
  /** By bucket, not summed up; the last is of values above all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds`: upper bounds in seconds, rising; a value on a bound counts below it. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    const bucket = bucketOf(this.#bounds, seconds);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  collect(): HistogramCounts {
    let soFar = 0;
    const atMost = Array.from(this.#counts, (count) => (soFar += count));
    return { bounds: this.#bounds, atMost, sum: this.#sum };
  }
}

function bucketOf(bounds: readonly number[], seconds: number): number {
  for (let i = 0; i < bounds.length; i++) {
    if (seconds <= (bounds[i] ?? 0)) return i;
  }
  return bounds.length;
}
