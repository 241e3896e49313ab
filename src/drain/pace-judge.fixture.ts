const TICK_MS = 50;
const SECOND_MS = 1_000;
/** So much of a rate is used at least where someone waits for it. */
const USED = 0.9;

/** When the last is told that has `withinMs` from `beginMs` on, unless delays have used the tail up. */
export function lastCloseMs(beginMs: number, withinMs: number): number {
  return beginMs + withinMs - Math.min(2_000, withinMs / 5);
}

/** Looks at the closes that share one rate: never too fast, and never idle while someone is overdue. */
export class PaceJudge {
  readonly #rates: { readonly fromMs: number; readonly perSecond: number }[] = [];
  readonly #closesMs: number[] = [];
  /** Closes that the rate would have allowed since someone became overdue. */
  #owed = 0;
  #holdsUntilMs = Number.NEGATIVE_INFINITY;

  /** There was never a limit that could have caused a delay. */
  get isFree(): boolean {
    return this.#rates.every(({ perSecond }) => perSecond === 0);
  }

  get perSecond(): number {
    return this.#rates.at(-1)?.perSecond ?? 0;
  }

  setRate(perSecond: number, nowMs: number): void {
    const before = this.perSecond;
    if (this.#rates.length > 0 && before === perSecond) return;
    this.#rates.push({ fromMs: nowMs, perSecond });
    this.#owed = 0;
    // What the old rate holds back it may hold back still.
    if (before > 0) this.#holdsUntilMs = Math.max(this.#holdsUntilMs, nowMs + SECOND_MS / USED / before);
  }

  /** @returns what is wrong with one more close at this moment. */
  closed(nowMs: number): string | undefined {
    this.#closesMs.push(nowMs);
    this.#owed -= 1;
    const sinceMs = nowMs - SECOND_MS;
    const inForce = this.#rates.filter((_, i) => (this.#rates[i + 1]?.fromMs ?? nowMs) >= sinceMs);
    if (inForce.some(({ perSecond }) => perSecond === 0)) return undefined;
    const most = Math.max(...inForce.map(({ perSecond }) => perSecond));
    const count = this.#closesMs.filter((atMs) => atMs > sinceMs).length;
    return count > most ? `${count} closes within a second, and ${most} are allowed` : undefined;
  }

  /** A step of time is over. @returns what is wrong with so many tunnels that are still not told though it is time. */
  stepped(overdue: number, { nowMs, stepMs }: { readonly nowMs: number; readonly stepMs: number }): string | undefined {
    if (overdue === 0) {
      this.#owed = 0;
      return undefined;
    }
    if (this.perSecond === 0) return `${overdue} are not told in time`;
    if (nowMs - stepMs < this.#holdsUntilMs) return undefined;
    this.#owed += (USED * this.perSecond * Math.min(stepMs, TICK_MS)) / SECOND_MS;
    // One step may be under way, and a turn may be lost on a drain whose tunnels all end by themselves.
    return this.#owed > 6 ? `${overdue} are not told in time, and the rate is not used` : undefined;
  }
}
