import { ControlTracker } from "./control-tracker.ts";
import { type FrameFault, LOSES_FRAMING } from "./frame-faults.ts";
import * as verdicts from "./frame-verdicts.ts";
import {
  ALL_RESERVED_BITS,
  headerShape,
  type HeaderShape,
  headFault,
  lengthAt,
  lengthBytesBehind,
  lengthFault,
} from "./frame-verdicts.ts";

// Constants of this file are folded into the loops; imported ones would be looked up each time, a fifth more per frame.
const { CAREFUL, CLOSE, COMPLETES, CONTROL, LEAVES_OPEN, OPEN_SHIFT, PING } = verdicts;

export type Boundary = "frame" | "message";

// Where in a header the next byte lies, when a header comes in pieces.
const FIRST_BYTE = 0;
const SECOND_BYTE = 1;
const LENGTH_BYTES = 2;
const KEY_BYTES = 3;

/**
 * Follows one direction of a WebSocket connection by its frame headers (RFC 6455 5.2), however the bytes are chunked.
 * Payload of data frames is never looked at, nothing is copied, and tracking allocates nothing per frame. What breaks
 * the rules is counted; what breaks the framing makes the stream opaque for good: `isOpaque`, and no boundary is known
 * any more.
 */
export class FrameTracker {
  /** Data messages completed; control frames never count. */
  messages = 0;
  /** A whole Close frame has passed. Nothing behind it is looked at. */
  hasClose = false;
  /** Framing was lost. */
  isOpaque = false;
  /** How often the sender broke the rules; a frame may break several. None is counted after the framing is lost. */
  faults = 0;
  /** The first of them. */
  fault: FrameFault | undefined = undefined;

  /** Of the other direction, where Pings of this one are answered. */
  opposite: FrameTracker | undefined = undefined;

  /** What the sender's headers have to look like. */
  readonly shape: HeaderShape;

  /** 0 or IN_MESSAGE. */
  #open = 0;
  #payloadLeft = 0;
  /** Of the frame whose header or payload is under way. */
  #verdict = 0;
  #phase = FIRST_BYTE;
  #lengthBytes: 0 | 2 | 8 = 0;
  #lengthBytesLeft = 0;
  #keyBytesLeft = 0;
  #length = 0;
  /** Made with the first control frame: most directions never have one. */
  #control: ControlTracker | undefined = undefined;

  /**
   * @param from Who sends: a client masks every frame, a backend none (RFC 6455 5.1).
   * @param reservedBits Those that negotiated extensions own, out of 0x70. 0x40 alone is permessage-deflate's, which
   * sets it on the first frame of a message only.
   */
  constructor(from: "client" | "backend", reservedBits: number = ALL_RESERVED_BITS) {
    this.shape = headerShape(from, reservedBits);
  }

  /** Between two frames, fragments of one message included. */
  get isAtFrameBoundary(): boolean {
    return this.#payloadLeft === 0 && this.#phase === FIRST_BYTE && !this.isOpaque;
  }

  /** Between two messages. */
  get isAtMessageBoundary(): boolean {
    return this.#open === 0 && this.isAtFrameBoundary;
  }

  /** The code of the Close frame that passed, 1005 for one without a code; undefined before. */
  get closeCode(): number | undefined {
    return this.#control?.closeCode;
  }

  /** Ping frames that have passed whole. */
  get pings(): number {
    return this.#control?.pings ?? 0;
  }

  /** Pong frames that have passed whole. */
  get pongs(): number {
    return this.#control?.pongs ?? 0;
  }

  /** The last Ping waits for its Pong, which comes from the `opposite` direction (RFC 6455 5.5.3). */
  get hasUnansweredPing(): boolean {
    return this.#control?.hasUnansweredPing ?? false;
  }

  /**
   * A hash of the last Ping's payload, unmasked; 0 before the first. The Pong that answers it has the same in the other
   * direction's `lastPong`; so has, seldom, another.
   */
  get lastPing(): number {
    return this.#control?.lastPing ?? 0;
  }

  /** As `lastPing`, of the last Pong. */
  get lastPong(): number {
    return this.#control?.lastPong ?? 0;
  }

  /** Follows a chunk, or the part of it from `from` up to `end`. */
  track(chunk: Uint8Array, from = 0, end: number = chunk.length): void {
    let at = from;
    while (at < end) at = this.#step(chunk, at, end, Infinity);
  }

  /**
   * Follows a chunk from an offset up to the first boundary at or after it, and returns where that lies: what is behind
   * it has not been looked at. A Close frame's end and the loss of framing end it too. Without any of them it is the
   * chunk's length: ask `isAt…` whether the boundary lies there.
   */
  trackTo(boundary: Boundary, chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && !this.#isAt(boundary)) at = this.#step(chunk, at, chunk.length, 1);
    return at;
  }

  #isAt(boundary: Boundary): boolean {
    if (this.hasClose) return true;
    return boundary === "frame" ? this.isAtFrameBoundary : this.isAtMessageBoundary;
  }

  /** Goes on by the rest of a payload, up to `limit` frames, or one byte of a header that needs care. */
  #step(chunk: Uint8Array, at: number, end: number, limit: number): number {
    if (this.isOpaque || this.hasClose) return end;
    if (this.#payloadLeft > 0) return this.#passPayload(chunk, at, end);
    if (this.#phase === FIRST_BYTE) {
      const next = this.#passFrames(chunk, at, end, limit);
      if (next > at) return next;
    }
    this.#takeHeaderByte(chunk[at] as number);
    return at + 1;
  }

  /** The fast road: faultless data frames whose headers lie whole in the chunk. Stops before anything else. */
  #passFrames(chunk: Uint8Array, from: number, end: number, limit: number): number {
    const { maskBit, shortHeader, verdicts: verdictOf } = this.shape;
    let open = this.#open;
    let at = from;
    for (let left = limit; left > 0 && at + shortHeader <= end; left -= 1) {
      const second = chunk[at + 1] as number;
      const verdict = verdictOf[open | (chunk[at] as number)] as number;
      if ((verdict & CAREFUL) !== 0 || (second & 0x80) !== maskBit) break;
      let next = at + shortHeader + (second & 0x7f);
      if ((second & 0x7f) > 125) {
        next = this.#longFrameEnd(chunk, at, end);
        if (next <= at) break;
      }
      open = (verdict & LEAVES_OPEN) << OPEN_SHIFT;
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
   * Where a frame with an extended length ends. `at` itself if its header is not whole, or its length is at fault or
   * near the bound of exact numbers: the road byte by byte settles all of these.
   */
  #longFrameEnd(chunk: Uint8Array, at: number, end: number): number {
    const isLong = ((chunk[at + 1] as number) & 0x7f) === 127;
    const payloadAt = at + this.shape.shortHeader + (isLong ? 8 : 2);
    if (payloadAt > end) return at;
    const length = lengthAt(chunk, at);
    const next = payloadAt + length;
    return length >= (isLong ? 65_536 : 126) && next < Number.MAX_SAFE_INTEGER ? next : at;
  }

  #note(fault: FrameFault | undefined): void {
    if (fault === undefined) return;
    this.faults += 1;
    this.fault ??= fault;
    if (LOSES_FRAMING[fault]) this.isOpaque = true;
  }

  #passPayload(chunk: Uint8Array, at: number, end: number): number {
    const next = Math.min(at + this.#payloadLeft, end);
    if ((this.#verdict & CONTROL) !== 0) this.#control?.takePayload(this.#verdict, chunk, at, next);
    this.#payloadLeft -= next - at;
    if (this.#payloadLeft === 0) this.#endFrame();
    return next;
  }

  #endFrame(): void {
    if ((this.#verdict & COMPLETES) !== 0) this.messages += 1;
    if ((this.#verdict & CONTROL) === 0) return;
    this.hasClose = (this.#verdict & CLOSE) !== 0;
    this.#note(this.#control?.end(this.#verdict));
    const { opposite } = this;
    if (opposite !== undefined && (this.#verdict & (CLOSE | PING)) === 0) opposite.#pongPassed(this.lastPong);
  }

  #pongPassed(hash: number): void {
    if (this.#control?.lastPing === hash) this.#control.hasUnansweredPing = false;
  }

  #takeHeaderByte(byte: number): void {
    switch (this.#phase) {
      case FIRST_BYTE:
        this.#verdict = this.shape.verdicts[this.#open | byte] as number;
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
        if ((this.#verdict & CONTROL) !== 0) this.#control?.takeKeyByte(byte);
        this.#keyBytesLeft -= 1;
    }
    this.#moveOn();
  }

  #takeSecondByte(byte: number): void {
    this.#note(headFault(this.#verdict, byte, this.shape));
    this.#keyBytesLeft = this.shape.shortHeader - 2;
    this.#lengthBytes = lengthBytesBehind(byte);
    this.#lengthBytesLeft = this.#lengthBytes;
    this.#length = this.#lengthBytes === 0 ? byte & 0x7f : 0;
    if ((this.#verdict & CONTROL) !== 0) (this.#control ??= new ControlTracker()).begin();
  }

  /** To the next part of a header in pieces, or to its payload. */
  #moveOn(): void {
    if (this.isOpaque) return;
    if (this.#lengthBytesLeft > 0) {
      this.#phase = LENGTH_BYTES;
      return;
    }
    if (this.#phase !== KEY_BYTES) this.#judgeLength();
    if (this.isOpaque) return;
    if (this.#keyBytesLeft > 0) {
      this.#phase = KEY_BYTES;
      return;
    }
    this.#phase = FIRST_BYTE;
    this.#open = (this.#verdict & LEAVES_OPEN) << OPEN_SHIFT;
    this.#payloadLeft = this.#length;
    if (this.#length === 0) this.#endFrame();
  }

  #judgeLength(): void {
    this.#note(lengthFault(this.#lengthBytes, this.#length));
    if (this.#length > Number.MAX_SAFE_INTEGER) this.isOpaque = true;
  }
}
