/** One for each octave that a number of bytes can be in. */
const CLASSES = 54;

/**
 * Divides sizes into small ones that fit into a room together and big ones that do not, by octaves: thousands of them
 * without sorting. All are added, then a room is opened, then each is asked for.
 */
export class SizeClasses {
  readonly #sums = new Float64Array(CLASSES);
  /** Classes below fit wholly; of this one as many as `#room` has place for. */
  #edge = 0;
  #room = 0;

  clear(): void {
    this.#sums.fill(0);
  }

  add(bytes: number): void {
    const at = classOf(bytes);
    this.#sums[at] = (this.#sums[at] ?? 0) + bytes;
  }

  open(roomBytes: number): void {
    this.#edge = 0;
    this.#room = roomBytes;
    for (const sum of this.#sums) {
      if (sum > this.#room) break;
      this.#room -= sum;
      this.#edge += 1;
    }
  }

  /** To be asked once for each that was added. */
  fits(bytes: number): boolean {
    const at = classOf(bytes);
    if (at !== this.#edge || bytes > this.#room) return at < this.#edge;
    this.#room -= bytes;
    return true;
  }
}

function classOf(bytes: number): number {
  return Math.min(Math.max(Math.floor(Math.log2(bytes)), 0), CLASSES - 1);
}
