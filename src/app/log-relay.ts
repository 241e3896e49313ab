/** Lines are gathered so long, as the log's own sink does. */
const GATHER_MS = 10;
/** What crosses at once, so that the main thread spends no more than a millisecond on it. */
const MAX_BATCH_CHARS = 64 * 1024;
const MAX_WAITING_CHARS = 8 * 1024 * 1024;

export interface LogRelayOptions {
  /** Hands lines to the thread that writes the log; it acknowledges each batch. */
  readonly send: (lines: readonly string[]) => void;
  /** What may wait, 8 Mi characters by default; lines beyond it are dropped and counted. */
  readonly maxWaitingChars?: number;
}

/**
 * Where a data worker's log lines go: whole, in order and in batches to the one thread that writes them, one batch under
 * way at a time. Never throws, never waits.
 */
export class LogRelay {
  readonly #send: (lines: readonly string[]) => void;
  readonly #maxWaitingChars: number;
  #waiting: string[] = [];
  #waitingChars = 0;
  #gathering: NodeJS.Timeout | undefined;
  #isUnderWay = false;
  #droppedLines = 0;

  constructor({ send, maxWaitingChars = MAX_WAITING_CHARS }: LogRelayOptions) {
    this.#send = send;
    this.#maxWaitingChars = maxWaitingChars;
  }

  /** Lines lost since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Takes one line, its end included. */
  write(line: string): void {
    if (this.#waitingChars + line.length > this.#maxWaitingChars) {
      this.#droppedLines++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingChars += line.length;
    if (!this.#isUnderWay) this.#sendSoon();
  }

  /** The batch that was under way has been taken. */
  acknowledged(): void {
    this.#isUnderWay = false;
    if (this.#waiting.length > 0) this.#sendSoon();
  }

  /** Hands over all that waits, at the end of the thread. */
  flush(): void {
    clearTimeout(this.#gathering);
    if (this.#waiting.length > 0) this.#send(this.#waiting);
    this.#waiting = [];
    this.#waitingChars = 0;
  }

  #sendSoon(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#sendBatch();
    }, GATHER_MS).unref();
  }

  #sendBatch(): void {
    let lines = 0;
    let chars = 0;
    while (lines < this.#waiting.length && chars < MAX_BATCH_CHARS) chars += this.#waiting[lines++]?.length ?? 0;
    if (lines === 0) return;
    this.#isUnderWay = true;
    this.#waitingChars -= chars;
    this.#send(this.#waiting.splice(0, lines));
  }
}
