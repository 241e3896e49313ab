import { ApiError } from "./types.ts";

const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines of text; what is not a whole line waits, up to a bound. */
export class Lines {
  readonly #mostBytes: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** The lines that this chunk completes, without empty ones. Throws an ApiError when a line is too long. */
  take(chunk: Buffer): readonly string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      if (this.#waitingBytes > 0) lines.push(Buffer.concat(this.#waiting).toString("utf8"));
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#waitingBytes += part.length;
    if (this.#waitingBytes > this.#mostBytes) {
      throw new ApiError({
        status: 0,
        reason: "TooLarge",
        message: `an event of the watch is longer than ${this.#mostBytes} bytes`,
      });
    }
    this.#waiting.push(part);
  }
}
