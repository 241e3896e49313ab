import type { Socket } from "node:net";

/**
 * Twice what libuv reads at once by default: a third less processor time for large messages. Twice as much again would
 * gain a tenth, and a slow sink would hold it.
 */
const PAGE_BYTES = 128 * 1024;
/** What Node keeps beside the bytes of a write that waits, about. */
const WRITE_OVERHEAD_BYTES = 512;
/** A slow sink holds a page for a chunk; for a small chunk a small one. */
const SMALL_PAGE_BYTES = 4 * 1024;

/**
 * Where all sockets of a relay read into, and where what was read lies while it is written. Node would allocate 64 KiB
 * for every read; under load most of a relay's time then goes into garbage collection and page faults.
 *
 * Bytes are moved once, from the page that sockets read into (the kernel may fill it at any time) to one that a sink can
 * hold on to. Nearly always the kernel takes the whole chunk at once and that page serves for the next one.
 */
export class ReadPage {
  /** For sockets to read into. Holds what was read until the next read of any of them. */
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(PAGE_BYTES);
  #large: Buffer = Buffer.allocUnsafeSlow(PAGE_BYTES);
  #small: Buffer = Buffer.allocUnsafeSlow(SMALL_PAGE_BYTES);

  /** The first `size` bytes of what was read. Good until the next `take`, unless it went to a sink by `writeTo`. */
  take(size: number): Uint8Array {
    const page = size <= SMALL_PAGE_BYTES ? this.#small : this.#large;
    this.buffer.copy(page, 0, 0, size);
    return page.subarray(0, size);
  }

  /**
   * Writes a chunk, from `take` or from elsewhere; what the sink does not get rid of at once stays as it is. Returns
   * how much memory that keeps, about: 0 when nothing waits, above 0 when the sink does not want more as well.
   */
  writeTo(sink: Socket, chunk: Uint8Array): number {
    if (!this.#holds(chunk)) return waitingOf(sink, sink.write(chunk), chunk.length);
    // Behind bytes that wait already it would wait as well: a copy of its own size, not a whole page.
    if (sink.writableLength > 0) return waitingOf(sink, sink.write(Buffer.from(chunk)), chunk.length);
    const wantsMore = sink.write(chunk);
    if (sink.writableLength > 0) this.#giveAway(chunk);
    return waitingOf(sink, wantsMore, chunk.buffer.byteLength);
  }

  #holds(chunk: Uint8Array): boolean {
    return chunk.buffer === this.#small.buffer || chunk.buffer === this.#large.buffer;
  }

  #giveAway(chunk: Uint8Array): void {
    if (chunk.buffer === this.#small.buffer) this.#small = Buffer.allocUnsafeSlow(SMALL_PAGE_BYTES);
    else this.#large = Buffer.allocUnsafeSlow(PAGE_BYTES);
  }
}

function waitingOf(sink: Socket, wantsMore: boolean, keptBytes: number): number {
  return wantsMore && sink.writableLength === 0 ? 0 : keptBytes + WRITE_OVERHEAD_BYTES;
}
