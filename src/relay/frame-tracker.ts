import { NO_STATUS } from "./close-codes.ts";

export type Boundary = "frame" | "message";

// What the first byte of a frame means, given whether a fragmented message is open. 0 = against RFC 6455 5.4 and 5.5.
const CONTROL = 1;
const CLOSE = 2;
/** The frame is the last of a data message. */
const COMPLETES = 4;
/** A fragmented message is open behind the frame. */
const LEAVES_OPEN = 8;

/** Added to a first byte to look it up inside a fragmented message. */
const IN_MESSAGE = 256;

function judge(firstByte: number, isInMessage: boolean): number {
  const opcode = firstByte & 0x0f;
  const isFinal = (firstByte & 0x80) !== 0;
  if (opcode >= 8 && opcode <= 10) {
    if (!isFinal) return 0;
    return CONTROL | (opcode === 8 ? CLOSE : 0) | (isInMessage ? LEAVES_OPEN : 0);
  }
  if (opcode > 2 || (opcode === 0) !== isInMessage) return 0;
  return isFinal ? COMPLETES : LEAVES_OPEN;
}

// One look-up in place of a tree of branches per frame. RSV bits do not matter: an extension may own them.
const VERDICTS = Uint8Array.from({ length: 2 * IN_MESSAGE }, (_, index) => judge(index & 0xff, index >= IN_MESSAGE));

// Where in a header the next byte lies, when a header comes in pieces.
const FIRST_BYTE = 0;
const SECOND_BYTE = 1;
const LENGTH_BYTES = 2;
const KEY_BYTES = 3;

/** The 16-bit length behind a header's second byte. */
function length16(chunk: Uint8Array, at: number): number {
  return ((chunk[at + 2] as number) << 8) | (chunk[at + 3] as number);
}

/** The 64-bit length behind a header's second byte; exact below 2^53. */
function length64(chunk: Uint8Array, at: number): number {
  let high = 0;
  let low = 0;
  for (let index = 2; index < 6; index += 1) {
    high = high * 256 + (chunk[at + index] as number);
    low = low * 256 + (chunk[at + index + 4] as number);
  }
  return high * 2 ** 32 + low;
}

/**
 * Follows one direction of a WebSocket connection by its frame headers (RFC 6455 5.2), however the bytes are chunked.
 * Payload of data frames is never looked at, nothing is copied, and tracking allocates nothing. What breaks the framing
 * makes the stream opaque for good: `isOpaque`, and no boundary is known any more.
 */
export class FrameTracker {
  /** Data messages completed; control frames never count. */
  messages = 0;
  /** A whole Close frame has passed. Nothing behind it is looked at. */
  hasClose = false;
  /** The code of that Close frame, 1005 for one without a code; undefined before. */
  closeCode: number | undefined = undefined;
  /** Framing was lost. */
  isOpaque = false;

  readonly #maskBit: number;
  /** Bytes of a header with a 7-bit length: 2, or 6 with the key. */
  readonly #shortHeader: number;
  /** 0 or IN_MESSAGE. */
  #open = 0;
  #payloadLeft = 0;
  /** Of the frame whose header or payload is under way. */
  #verdict = 0;
  #phase = FIRST_BYTE;
  #lengthBytesLeft = 0;
  #keyBytesLeft = 0;
  #length = 0;
  /** Key and payload of a Close frame, two bytes of each, and how many of the payload are here. */
  #closeKey = 0;
  #closePayload = 0;
  #closeBytes = 0;

  /** @param from Who sends: a client masks every frame, a backend none (RFC 6455 5.1). */
  constructor(from: "client" | "backend") {
    this.#maskBit = from === "client" ? 0x80 : 0;
    this.#shortHeader = from === "client" ? 6 : 2;
  }

  /** Between two frames, fragments of one message included. */
  get isAtFrameBoundary(): boolean {
    return this.#payloadLeft === 0 && this.#phase === FIRST_BYTE && !this.isOpaque;
  }

  /** Between two messages. */
  get isAtMessageBoundary(): boolean {
    return this.#open === 0 && this.isAtFrameBoundary;
  }

  /** Follows a whole chunk. */
  track(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) at = this.#step(chunk, at, Infinity);
  }

  /**
   * Follows a chunk from an offset up to the first boundary at or after it, and returns where that lies: what is behind
   * it has not been looked at. A Close frame's end and the loss of framing end it too. Without any of them it is the
   * chunk's length: ask `isAt…` whether the boundary lies there.
   */
  trackTo(boundary: Boundary, chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && !this.#isAt(boundary)) at = this.#step(chunk, at, 1);
    return at;
  }

  #isAt(boundary: Boundary): boolean {
    if (this.hasClose) return true;
    return boundary === "frame" ? this.isAtFrameBoundary : this.isAtMessageBoundary;
  }

  /** Goes on by the rest of a payload, up to `limit` frames, or one byte of a header in pieces. */
  #step(chunk: Uint8Array, at: number, limit: number): number {
    if (this.isOpaque || this.hasClose) return chunk.length;
    if (this.#payloadLeft > 0) return this.#passPayload(chunk, at);
    if (this.#phase === FIRST_BYTE) {
      const next = this.#passFrames(chunk, at, limit);
      if (next > at) return next;
    }
    this.#takeHeaderByte(chunk[at] as number);
    return at + 1;
  }

  /** The fast road: frames whose headers lie whole in the chunk. Stops before a Close and before a header in pieces. */
  #passFrames(chunk: Uint8Array, from: number, limit: number): number {
    const end = chunk.length;
    const short = this.#shortHeader;
    const maskBit = this.#maskBit;
    let open = this.#open;
    let at = from;
    for (let left = limit; left > 0 && at + short <= end; left -= 1) {
      const second = chunk[at + 1] as number;
      const verdict = VERDICTS[open | (chunk[at] as number)] as number;
      if (verdict === 0 || (second & 0x80) !== maskBit) return this.#loseFraming(end);
      if ((verdict & CLOSE) !== 0) break;
      let next = at + short + (second & 0x7f);
      if ((second & 0x7f) > 125) {
        next = this.#longFrameEnd(chunk, at, verdict);
        if (next <= at) break;
      }
      open = (verdict & LEAVES_OPEN) << 5;
      at = next;
      if (next > end) {
        this.#verdict = verdict;
        this.#payloadLeft = next - end;
        at = end;
      } else if ((verdict & COMPLETES) !== 0) this.messages += 1;
    }
    this.#open = open;
    return at;
  }

  /**
   * Where a frame with an extended length ends. `at` itself if its header is not whole, or must not be, or its length
   * is near the bound of exact numbers: the road byte by byte settles all of these.
   */
  #longFrameEnd(chunk: Uint8Array, at: number, verdict: number): number {
    if ((verdict & CONTROL) !== 0) return at;
    const isLong = ((chunk[at + 1] as number) & 0x7f) === 127;
    const payloadAt = at + this.#shortHeader + (isLong ? 8 : 2);
    if (payloadAt > chunk.length) return at;
    const next = payloadAt + (isLong ? length64(chunk, at) : length16(chunk, at));
    return next < Number.MAX_SAFE_INTEGER ? next : at;
  }

  #loseFraming(end: number): number {
    this.isOpaque = true;
    return end;
  }

  #passPayload(chunk: Uint8Array, at: number): number {
    const size = Math.min(this.#payloadLeft, chunk.length - at);
    if ((this.#verdict & CLOSE) !== 0) this.#readCloseCode(chunk, at, at + size);
    this.#payloadLeft -= size;
    if (this.#payloadLeft === 0) this.#endFrame();
    return at + size;
  }

  #readCloseCode(chunk: Uint8Array, from: number, end: number): void {
    for (let at = from; at < end && this.#closeBytes < 2; at += 1) {
      this.#closePayload = (this.#closePayload << 8) | (chunk[at] as number);
      this.#closeBytes += 1;
    }
  }

  #endFrame(): void {
    if ((this.#verdict & COMPLETES) !== 0) this.messages += 1;
    if ((this.#verdict & CLOSE) === 0) return;
    this.hasClose = true;
    this.closeCode = this.#closeBytes === 2 ? this.#closePayload ^ this.#closeKey : NO_STATUS;
  }

  #takeHeaderByte(byte: number): void {
    switch (this.#phase) {
      case FIRST_BYTE:
        this.#verdict = VERDICTS[this.#open | byte] as number;
        this.#phase = SECOND_BYTE;
        return;
      case SECOND_BYTE:
        this.#takeSecondByte(byte);
        break;
      case LENGTH_BYTES:
        this.#length = this.#length * 256 + byte;
        this.#lengthBytesLeft -= 1;
        break;
      default:
        if (this.#keyBytesLeft > 2) this.#closeKey = ((this.#closeKey << 8) | byte) & 0xffff;
        this.#keyBytesLeft -= 1;
    }
    this.#moveOn();
  }

  #takeSecondByte(byte: number): void {
    const size = byte & 0x7f;
    const isBadControl = (this.#verdict & CONTROL) !== 0 && size > 125;
    if (this.#verdict === 0 || (byte & 0x80) !== this.#maskBit || isBadControl) this.isOpaque = true;
    this.#keyBytesLeft = this.#shortHeader - 2;
    this.#lengthBytesLeft = size === 127 ? 8 : size === 126 ? 2 : 0;
    this.#length = size < 126 ? size : 0;
  }

  /** To the next part of a header in pieces, or to its payload. */
  #moveOn(): void {
    if (this.isOpaque) return;
    if (this.#lengthBytesLeft > 0) {
      this.#phase = LENGTH_BYTES;
    } else if (this.#length > Number.MAX_SAFE_INTEGER) {
      this.isOpaque = true;
    } else if (this.#keyBytesLeft > 0) {
      this.#phase = KEY_BYTES;
    } else {
      this.#phase = FIRST_BYTE;
      this.#open = (this.#verdict & LEAVES_OPEN) << 5;
      this.#payloadLeft = this.#length;
      if (this.#length === 0) this.#endFrame();
    }
  }
}
