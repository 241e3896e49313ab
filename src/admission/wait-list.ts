import type { Applicant } from "./types.ts";

/** One that waits, between its neighbours. */
export interface Waiter {
  readonly applicant: Applicant;
  readonly sinceMs: number;
  /** What the hold clock of its line said then. */
  readonly holdClockMs: number;
  isWaiting: boolean;
  ahead: Waiter | undefined;
  behind: Waiter | undefined;
}

/** Those that wait, in the order of their coming; whoever goes away in the middle costs the same as the first. */
export class WaitList {
  #first: Waiter | undefined = undefined;
  #last: Waiter | undefined = undefined;
  #size = 0;

  get first(): Waiter | undefined {
    return this.#first;
  }

  get size(): number {
    return this.#size;
  }

  append(entry: Pick<Waiter, "applicant" | "sinceMs" | "holdClockMs">): Waiter {
    const waiter: Waiter = { ...entry, isWaiting: true, ahead: this.#last, behind: undefined };
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
    this.#size++;
    return waiter;
  }

  /** False when it does not wait any more. */
  remove(waiter: Waiter): boolean {
    if (!waiter.isWaiting) return false;
    waiter.isWaiting = false;
    const { ahead, behind } = waiter;
    if (ahead === undefined) this.#first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
    waiter.ahead = undefined;
    waiter.behind = undefined;
    this.#size--;
    return true;
  }
}
