/** For how long a line has had no backend, in all; it stands still meanwhile. All times in milliseconds. */
export class HoldClock {
  #sumMs = 0;
  #sinceMs: number | undefined = undefined;

  readMs(nowMs: number): number {
    return this.#sumMs + (this.#sinceMs === undefined ? 0 : nowMs - this.#sinceMs);
  }

  /** There is no backend from now on. Said again, it changes nothing. */
  start(nowMs: number): void {
    this.#sinceMs ??= nowMs;
  }

  /** There is one. */
  stop(nowMs: number): void {
    this.#sumMs = this.readMs(nowMs);
    this.#sinceMs = undefined;
  }
}
