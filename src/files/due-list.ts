import type { After } from "../controller/index.ts";

/** What is to be looked at and when, with one timer for all of it. */
export class DueList {
  readonly #after: After;
  readonly #now: () => number;
  readonly #onDue: () => void;
  readonly #dueMs = new Map<string, number>();
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #isRunning = false;

  constructor(parts: { readonly after: After; readonly now: () => number; readonly onDue: () => void }) {
    this.#after = parts.after;
    this.#now = parts.now;
    this.#onDue = parts.onDue;
  }

  has(item: string): boolean {
    return this.#dueMs.has(item);
  }

  /** The item is due then; an earlier time that was set stays. */
  add(item: string, delayMs: number): void {
    const atMs = this.#now() + delayMs;
    const before = this.#dueMs.get(item);
    if (before !== undefined && before <= atMs) return;
    this.#dueMs.set(item, atMs);
    if (this.#isRunning) this.#setTimer(atMs);
  }

  /** Calls back from now on when something is due. */
  start(): void {
    this.#isRunning = true;
    this.#setTimerForNext();
  }

  stop(): void {
    this.#isRunning = false;
    this.#timer?.cancel();
    this.#dueMs.clear();
  }

  /** Takes out what is due, oldest entries first, until `until` says that it is enough. */
  *take(until: () => boolean): Generator<string> {
    const nowMs = this.#now();
    for (const [item, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) continue;
      if (until()) break;
      this.#dueMs.delete(item);
      yield item;
    }
    if (this.#isRunning) this.#setTimerForNext();
  }

  /** Whether anything is due. */
  isDue(): boolean {
    const nowMs = this.#now();
    for (const dueMs of this.#dueMs.values()) if (dueMs <= nowMs) return true;
    return false;
  }

  #setTimerForNext(): void {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#dueMs.values()) earliestMs = Math.min(earliestMs, dueMs);
    if (earliestMs !== Number.POSITIVE_INFINITY) this.#setTimer(earliestMs);
  }

  #setTimer(atMs: number): void {
    if (this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    const cancel = this.#after(Math.max(0, atMs - this.#now()), () => {
      this.#timer = undefined;
      this.#onDue();
    });
    this.#timer = { atMs, cancel };
  }
}
