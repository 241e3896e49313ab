import { setTimeout as delay } from "node:timers/promises";
import type { RelayObserver } from "../../src/relay/index.ts";

const GLANCE_MS = 50;
const PATIENCE_MS = 20_000;

/** What happened in a process while it was watched. */
export interface Watched {
  /** Processor time of all its threads, in microseconds. */
  readonly cpuUs: number;
  readonly ms: number;
  readonly sent: number;
  readonly answered: number;
}

export interface Watch {
  /** At the beginning the clock goes so far ahead. */
  readonly leapMs: number;
  /** Watched until so many Pings have been answered, or patience is at its end. */
  readonly answers: number;
  /** Watched for so long at least. */
  readonly leastMs: number;
}

/** Counts Pings and their answers, and is the clock of those who ask: a silence of 27 s need not be waited for. */
export class PingCounter implements RelayObserver {
  #sent = 0;
  #answered = 0;
  #aheadMs = 0;

  readonly now = (): number => performance.now() + this.#aheadMs;

  pingSent(): void {
    this.#sent += 1;
  }

  pingAnswered(): void {
    this.#answered += 1;
  }

  /** @param begin Called at the beginning, behind the leap. */
  async watch({ leapMs, answers, leastMs }: Watch, begin: () => void): Promise<Watched> {
    global.gc?.();
    // What the collector still does beside us.
    await delay(GLANCE_MS);
    const [sent, answered, beganAtMs, cpu] = [this.#sent, this.#answered, performance.now(), process.cpuUsage()];
    const passedMs = (): number => performance.now() - beganAtMs;
    this.#aheadMs += leapMs;
    begin();
    while (passedMs() < leastMs || (this.#answered - answered < answers && passedMs() < PATIENCE_MS))
      await delay(GLANCE_MS);
    const { user, system } = process.cpuUsage(cpu);
    return { cpuUs: user + system, ms: passedMs(), sent: this.#sent - sent, answered: this.#answered - answered };
  }
}
