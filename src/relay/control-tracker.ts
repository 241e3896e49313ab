import { NO_STATUS } from "./close-codes.ts";
import { MAX_CONTROL_PAYLOAD } from "./control-frames.ts";
import { closeFault, type FrameFault } from "./frame-faults.ts";
import { CLOSE, PING } from "./frame-verdicts.ts";

// FNV-1a of 32 bits: cheap, byte by byte, and nothing has to be kept.
const HASH_BASIS = 0x811c_9dc5 | 0;
const HASH_PRIME = 0x0100_0193;

/** Reads the control frames of one direction as their bytes pass, one after another. Keeps a payload of Close only. */
export class ControlTracker {
  pings = 0;
  pongs = 0;
  lastPing = 0;
  lastPong = 0;
  /** The last Ping has not been answered by its Pong in the other direction. */
  hasUnansweredPing = false;
  closeCode: number | undefined = undefined;

  /** Of the last frame that had one; the four bytes of the next push it out. 0 where frames are not masked. */
  #key = 0;
  #hash = HASH_BASIS;
  #size = 0;
  #closePayload: Uint8Array | undefined = undefined;

  begin(): void {
    this.#hash = HASH_BASIS;
    this.#size = 0;
  }

  takeKeyByte(byte: number): void {
    this.#key = (this.#key << 8) | byte;
  }

  takePayload(verdict: number, chunk: Uint8Array, from: number, end: number): void {
    if ((verdict & CLOSE) !== 0) this.#closePayload ??= new Uint8Array(MAX_CONTROL_PAYLOAD);
    for (let at = from; at < end; at += 1) {
      const byte = (chunk[at] as number) ^ ((this.#key >>> (24 - 8 * (this.#size & 3))) & 0xff);
      this.#hash = Math.imul(this.#hash ^ byte, HASH_PRIME);
      if ((verdict & CLOSE) !== 0 && this.#closePayload !== undefined) this.#closePayload[this.#size] = byte;
      this.#size += 1;
    }
  }

  /** The frame has passed whole. */
  end(verdict: number): FrameFault | undefined {
    if ((verdict & CLOSE) !== 0) return this.#endClose();
    // 0 stands for none yet.
    const hash = this.#hash === 0 ? 1 : this.#hash;
    if ((verdict & PING) !== 0) {
      this.pings += 1;
      this.lastPing = hash;
      this.hasUnansweredPing = true;
    } else {
      this.pongs += 1;
      this.lastPong = hash;
    }
    return undefined;
  }

  #endClose(): FrameFault | undefined {
    const payload = this.#closePayload?.subarray(0, this.#size) ?? new Uint8Array(0);
    const [high, low] = payload;
    this.closeCode = high === undefined || low === undefined ? NO_STATUS : (high << 8) | low;
    return closeFault(payload);
  }
}
