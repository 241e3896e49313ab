import { readControlFrame } from "./control-frames.ts";
import { closeFault, type FrameFault, LOSES_FRAMING } from "./frame-faults.ts";
import type { FrameTracker } from "./frame-tracker.ts";
import * as verdicts from "./frame-verdicts.ts";
import { headFault, lengthAt, lengthBytesBehind, lengthFault } from "./frame-verdicts.ts";

// Constants of this file are folded into the loop; imported ones would be looked up each time.
const { CAREFUL, CLOSE, CONTROL, IN_MESSAGE, LEAVES_OPEN, OPEN_SHIFT } = verdicts;

const NOTHING_HELD = new Uint8Array(0);

/** What a sieve lets through. */
export interface SievePolicy {
  /** Every fault of a frame stops. Else faults are only counted by the tracker. */
  readonly isStrict: boolean;
  /** Payload of all fragments of a message together; 0 = any. */
  readonly maxMessageBytes: number;
  /** Frames of a message; 0 = any, 1 = whole messages only. */
  readonly maxFragments: number;
}

export type SieveStop = FrameFault | "message_too_big" | "too_many_fragments";

/** What comes next in a chunk. `next` is where the following step begins. */
export type SieveStep =
  /** The chunk's bytes up to `next` go on; the tracker has seen them. This object is another step's after the next. */
  | { readonly kind: "pass"; readonly next: number }
  /** Bytes of a data frame's header that were gathered go on; the tracker has seen them. They are the caller's. */
  | { readonly kind: "header"; readonly bytes: Uint8Array; readonly next: number }
  /** A whole control frame: to `accept()` and write `bytes`, or to swallow by doing neither. They are the caller's. */
  | {
      readonly kind: "control";
      /** 8 Close, 9 Ping, 10 Pong. */
      readonly opcode: number;
      /** Unmasked. */
      readonly payload: Uint8Array;
      readonly bytes: Uint8Array;
      readonly next: number;
    }
  /** The chunk is over, and its end is held: it decides nothing yet. */
  | { readonly kind: "hold"; readonly next: number }
  /**
   * A message that may not begin yet. It begins with what is held: to be asked for again with `release()`, then the
   * chunk from `next` on.
   */
  | { readonly kind: "wait"; readonly next: number }
  /**
   * A frame that must not pass: nothing of it has. The tracker stands at the frame boundary before it. The frame begins
   * with what is held (`release()`) and goes on in the chunk at `next`. Another step stops for the same reason.
   */
  | { readonly kind: "stop"; readonly why: SieveStop; readonly next: number };

/**
 * The careful road through a chunk, for a direction where frames may have to be kept back: under limits, where faults
 * end the tunnel, or while a Pong of our own is awaited. Of a frame that must not pass no byte does, however it is cut
 * into chunks: at a frame boundary a header is gathered until it is whole, a control frame until all of it is here.
 * Payload of data frames is neither looked at nor copied, and whole data frames of a chunk pass in one step.
 *
 * It shows the tracker what passes; nobody else may, but for what `release()` and a stop leave to the caller. A frame
 * that was under way before the first step passes to its end unseen; of a message, the fragments before do not count.
 * Behind a Close that passed, and once the framing is lost, everything passes.
 */
export class FrameSieve {
  /** May be changed between two steps. */
  policy: SievePolicy;
  /** Asked before a message begins; undefined = each may. Who says yes has counted it. */
  mayBegin: (() => boolean) | undefined = undefined;

  readonly #tracker: FrameTracker;
  readonly #pass = { kind: "pass" as const, next: 0 };
  #held: Uint8Array = NOTHING_HELD;
  #heldBytes = 0;
  /** A control frame that the caller has been given and may accept. */
  #offered: Uint8Array | undefined = undefined;
  /** Of the message under way. */
  #messageBytes = 0;
  #fragments = 0;

  constructor(tracker: FrameTracker, policy: SievePolicy) {
    this.#tracker = tracker;
    this.policy = policy;
  }

  /**
   * Kept back until more comes: at most a header but for its last byte (13) or a control frame but for its last (130). At
   * a stop what has been taken of the frame.
   */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @param at Below the chunk's length; 0, then `next` of the step before. */
  step(chunk: Uint8Array, at: number): SieveStep {
    this.#offered = undefined;
    if (this.#heldBytes === 0) {
      const next = this.#passFrom(chunk, at);
      if (next > at) {
        this.#pass.next = next;
        return this.#pass;
      }
    }
    return this.#gather(chunk, at);
  }

  /** The control frame of the last step goes on. */
  accept(): void {
    if (this.#offered !== undefined) this.#tracker.track(this.#offered);
    this.#offered = undefined;
  }

  /**
   * Hands over what is held and forgets it: where the sieve is taken away, or the source has ended, or behind a stop.
   * The tracker has not seen it, and follows the stream only if it is shown it.
   */
  release(): Uint8Array {
    const bytes = this.#heldBytes === this.#held.length ? this.#held : this.#held.subarray(0, this.#heldBytes);
    this.#held = NOTHING_HELD;
    this.#heldBytes = 0;
    return bytes;
  }

  /** Passes what needs no care: the rest of a frame under way, then data frames. Stops at `at` if there is none. */
  #passFrom(chunk: Uint8Array, at: number): number {
    const tracker = this.#tracker;
    if (tracker.isOpaque || tracker.hasClose) return chunk.length;
    const from = tracker.trackTo("frame", chunk, at);
    if (from === chunk.length || tracker.hasClose) return from;
    const end = this.#scan(chunk, from);
    tracker.track(chunk, from, end);
    return end;
  }

  /** Where the first frame lies that is not a faultless data frame within the limits with a whole header. */
  #scan(chunk: Uint8Array, from: number): number {
    const { maskBit, shortHeader, verdicts: verdictOf } = this.#tracker.shape;
    let open = this.#openBefore();
    let at = from;
    while (at + shortHeader <= chunk.length) {
      const second = chunk[at + 1] as number;
      const verdict = verdictOf[open | (chunk[at] as number)] as number;
      if ((verdict & CAREFUL) !== 0 || (second & 0x80) !== maskBit) break;
      let size = second & 0x7f;
      let payloadAt = at + shortHeader;
      if (size > 125) {
        const lengthBytes = lengthBytesBehind(second);
        payloadAt += lengthBytes;
        if (payloadAt > chunk.length) break;
        size = lengthAt(chunk, at);
        if (lengthFault(lengthBytes, size) !== undefined) break;
      }
      if (this.#limitBrokenBy(size) !== undefined || !this.#mayPass(open)) break;
      this.#count(verdict, size);
      open = (verdict & LEAVES_OPEN) << OPEN_SHIFT;
      at = payloadAt + size;
    }
    return Math.min(at, chunk.length);
  }

  #gather(chunk: Uint8Array, at: number): SieveStep {
    let next = at;
    for (let wanted = this.#wantedBytes(); this.#heldBytes < wanted; wanted = this.#wantedBytes()) {
      if (next === chunk.length) return { kind: "hold", next };
      next = this.#hold(chunk, next, wanted);
    }
    return this.#decide(next);
  }

  #hold(chunk: Uint8Array, at: number, wanted: number): number {
    // Made anew each time and just as large: what was held before is the caller's, and a sink may still have it.
    if (this.#held.length < wanted) this.#held = enlarged(this.#held, wanted);
    const end = Math.min(at + wanted - this.#heldBytes, chunk.length);
    for (let from = at; from < end; from += 1) {
      this.#held[this.#heldBytes] = chunk[from] as number;
      this.#heldBytes += 1;
    }
    return end;
  }

  /** How much of the frame that is held decides about it. */
  #wantedBytes(): number {
    if (this.#heldBytes < 2) return 2;
    const second = this.#held[1] as number;
    const { shape } = this.#tracker;
    const fault = headFault(this.#verdict(), second, shape);
    if (fault !== undefined && (this.policy.isStrict || LOSES_FRAMING[fault])) return 2;
    const header = shape.shortHeader + lengthBytesBehind(second);
    return (this.#verdict() & CONTROL) === 0 ? header : header + (second & 0x7f);
  }

  #decide(next: number): SieveStep {
    const fault = this.#faultOfHeld();
    if (fault !== undefined && this.policy.isStrict) return { kind: "stop", why: fault, next };
    if (fault === undefined || !LOSES_FRAMING[fault]) {
      if ((this.#verdict() & CONTROL) !== 0) return this.#offer(next);
      const size = lengthAt(this.#held, 0);
      const limit = this.#limitBrokenBy(size);
      if (limit !== undefined) return { kind: "stop", why: limit, next };
      if (!this.#mayPass(this.#openBefore())) return { kind: "wait", next };
      this.#count(this.#verdict(), size);
    }
    const bytes = this.release();
    this.#tracker.track(bytes);
    return { kind: "header", bytes, next };
  }

  #faultOfHeld(): FrameFault | undefined {
    const second = this.#held[1] as number;
    const verdict = this.#verdict();
    const fault =
      headFault(verdict, second, this.#tracker.shape) ??
      lengthFault(lengthBytesBehind(second), lengthAt(this.#held, 0));
    if (fault !== undefined || (verdict & CLOSE) === 0) return fault;
    return closeFault(readControlFrame(this.#held.subarray(0, this.#heldBytes)).payload);
  }

  #offer(next: number): SieveStep {
    const bytes = this.release();
    this.#offered = bytes;
    const { opcode, payload } = readControlFrame(bytes);
    return { kind: "control", opcode, payload, bytes, next };
  }

  /** Of the frame that is held. */
  #verdict(): number {
    return this.#tracker.shape.verdicts[this.#openBefore() | (this.#held[0] as number)] as number;
  }

  /** 0 or IN_MESSAGE, at the boundary where the tracker stands. */
  #openBefore(): number {
    return this.#tracker.isAtMessageBoundary ? 0 : IN_MESSAGE;
  }

  #limitBrokenBy(size: number): "message_too_big" | "too_many_fragments" | undefined {
    const { maxMessageBytes, maxFragments } = this.policy;
    if (maxMessageBytes > 0 && this.#messageBytes + size > maxMessageBytes) return "message_too_big";
    if (maxFragments > 0 && this.#fragments >= maxFragments) return "too_many_fragments";
    return undefined;
  }

  /** Only the first frame of a message has to wait for its time. */
  #mayPass(open: number): boolean {
    return open !== 0 || this.mayBegin === undefined || this.mayBegin();
  }

  #count(verdict: number, size: number): void {
    const isOpen = (verdict & LEAVES_OPEN) !== 0;
    this.#messageBytes = isOpen ? this.#messageBytes + size : 0;
    this.#fragments = isOpen ? this.#fragments + 1 : 0;
  }
}

// Copied in a loop: for so few bytes a call costs more.
function enlarged(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += 1) larger[at] = bytes[at] as number;
  return larger;
}
