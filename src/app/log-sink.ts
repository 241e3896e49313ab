import { openSync, write, writeSync } from "node:fs";

export interface LogSinkOptions {
  /** A file descriptor, or the path of a file. */
  readonly destination: number | string;
  /** What may wait to be written, 8 MiB by default; lines beyond it are dropped and counted. */
  readonly maxWaitingBytes?: number;
}

const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const MAX_CHUNK_BYTES = 64 * 1024;
/** Lines are gathered so long: each write costs a walk to another thread and back, which thousands per second feel. */
const GATHER_MS = 50;
/** A full pipe says EAGAIN and never that it has room again. */
const RETRY_MS = 50;
/** How long the end of the process waits for a reader that has stopped reading. */
const LAST_FLUSH_MS = 500;
const SYNC_RETRY_MS = 10;

interface Chunk {
  readonly bytes: Buffer;
  readonly lines: number;
}

/**
 * Writes lines in the background, in order and as many at once as have come within some milliseconds. Never throws,
 * never waits except in `end`, and never keeps the process alive: a reader that is slow, stuck or gone, or a full disk,
 * costs lines, which are counted.
 */
export class LogSink {
  readonly #descriptor: number;
  readonly #maxWaitingBytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #underWay: Chunk | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #isClosed = false;
  #droppedLines = 0;

  constructor({ destination, maxWaitingBytes = MAX_WAITING_BYTES }: LogSinkOptions) {
    this.#descriptor = typeof destination === "number" ? destination : openSync(destination, "a");
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /** Lines lost since the start. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Takes one line, its end included. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#isClosed || this.#waitingBytes + bytes > this.#maxWaitingBytes) {
      this.#droppedLines += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    if (this.#underWay === undefined) this.#writeSoon();
  }

  /** Writes what waits, for half a second at most; lines that come later are dropped. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#gathering);
    const deadlineMs = performance.now() + LAST_FLUSH_MS;
    for (let chunk = this.#takeChunk(); chunk !== undefined; chunk = this.#takeChunk()) {
      if (this.#writeNow(chunk.bytes, deadlineMs)) continue;
      this.#droppedLines += chunk.lines + this.#waiting.length;
      this.#waiting = [];
    }
  }

  #writeSoon(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#writeNext();
    }, GATHER_MS).unref();
  }

  #takeChunk(): Chunk | undefined {
    let lines = 0;
    let length = 0;
    while (lines < this.#waiting.length && length < MAX_CHUNK_BYTES) length += this.#waiting[lines++]?.length ?? 0;
    if (lines === 0) return undefined;
    const bytes = Buffer.from(this.#waiting.splice(0, lines).join(""));
    this.#waitingBytes -= bytes.length;
    return { bytes, lines };
  }

  #writeNext(): void {
    this.#underWay = this.#takeChunk();
    if (this.#underWay !== undefined) this.#writeSome(this.#underWay);
  }

  #writeSome({ bytes, lines }: Chunk): void {
    write(this.#descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (isBusy(error)) return void setTimeout(() => this.#writeSome({ bytes, lines }), RETRY_MS).unref();
      if (error !== null) return this.#failed(error, lines);
      if (written < bytes.length) return this.#writeSome({ bytes: bytes.subarray(written), lines });
      this.#underWay = undefined;
      if (this.#waitingBytes >= MAX_CHUNK_BYTES) this.#writeNext();
      else if (this.#waitingBytes > 0) this.#writeSoon();
    });
  }

  #failed(error: NodeJS.ErrnoException, lines: number): void {
    this.#droppedLines += lines;
    // A disk may have room again; a reader that is gone never comes back.
    if (error.code === "EPIPE") {
      this.#isClosed = true;
      this.#droppedLines += this.#waiting.length;
      this.#waiting = [];
    }
    this.#writeNext();
  }

  #writeNow(bytes: Buffer, deadlineMs: number): boolean {
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(this.#descriptor, bytes, at);
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadlineMs) return false;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SYNC_RETRY_MS);
      }
    }
    return true;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EAGAIN" || error.code === "EBUSY");
}
