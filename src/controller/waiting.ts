import type { After } from "./types.ts";

/** Wakes one waiter; a ring that comes before the wait is not lost. */
export class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  async wait(): Promise<void> {
    if (!this.#isRung) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    this.#isRung = false;
  }
}

/** Resolves after `delayMs`, or at once when the signal aborts. */
export function pause(delayMs: number, after: After, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = after(delayMs, finish);
    signal.addEventListener("abort", finish);
  });
}

/** Settles as the promise does, or resolves when the signal aborts first: what hangs must not keep us from ending. */
export function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) resolve();
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
