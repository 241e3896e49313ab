import fc from "fast-check";
import { anything, frame, type FrameShape, type From, lawfulConversations } from "./frames.fixture.ts";
import type { FramePolicy } from "./index.ts";

/** A frame of a conversation, and how it stands to the rules. */
export interface Spoken {
  readonly bytes: Buffer;
  readonly shape: FrameShape;
  /** Masked as the other side's frames are. */
  readonly isForeign: boolean;
}

const otherSide = (from: From): From => (from === "client" ? "backend" : "client");

export function speak(from: From, shape: Partial<FrameShape>, isForeign = false): Spoken {
  const full = { opcode: 2, isFinal: true, reserved: 0, payload: new Uint8Array(0), lengthBytes: undefined, ...shape };
  return { bytes: frame(shape, isForeign ? otherSide(from) : from), shape: full, isForeign };
}

/** Yes, once in so many times. */
const seldom = (times: number) =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(true) }, { weight: times - 1, arbitrary: fc.constant(false) });

/** Fragmented messages and control frames, some with a Close at the end, some with a frame that may be anything. */
export function conversationsOf(from: From): fc.Arbitrary<Spoken[]> {
  const lots = fc.record({ isClosed: seldom(4), isPlanted: seldom(6), isForeign: seldom(10) });
  return fc.tuple(lawfulConversations, anything, fc.nat(), lots).map(([frames, planted, at, lot]) => {
    const all = frames.filter(({ opcode }) => opcode !== 8 || lot.isClosed).map((shape) => speak(from, shape));
    if (!lot.isPlanted) return all;
    // What is behind a Close nobody promises anything about.
    const place = at % (all.at(-1)?.shape.opcode === 8 ? all.length : all.length + 1);
    const behind = planted.opcode === 8 ? [] : all.slice(place);
    return [...all.slice(0, place), speak(from, planted, lot.isForeign), ...behind];
  });
}

const isControl = ({ opcode }: FrameShape) => opcode >= 8;
const sizeOf = ({ payload }: FrameShape) => (payload instanceof Uint8Array ? payload.length : payload[0]);

/** Behind it nobody knows where a frame begins. */
function losesFraming({ shape, isForeign, bytes }: Spoken, isInMessage: boolean): boolean {
  const { opcode, isFinal } = shape;
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return true;
  if (isControl(shape)) return !isFinal || (bytes.readUInt8(1) & 0x7f) > 125 || isForeign;
  return (opcode === 0) !== isInMessage || isForeign;
}

function isFaulty({ shape, bytes }: Spoken): boolean {
  const field = bytes.readUInt8(1) & 0x7f;
  const least = field === 127 ? 65_536 : field === 126 ? 126 : 0;
  return shape.reserved !== 0 || sizeOf(shape) < least || (shape.opcode === 8 && !isGoodClose(shape));
}

/** As generated: codes that may be sent and words that are UTF-8, or a payload of one byte value. */
function isGoodClose({ payload }: FrameShape): boolean {
  const bytes = Buffer.from(payload instanceof Uint8Array ? payload : new Uint8Array(payload[0]).fill(payload[1]));
  if (bytes.length < 2) return bytes.length === 0;
  const code = bytes.readUInt16BE(0);
  const isKnown =
    (code >= 1_000 && code <= 1_014 && ![1_004, 1_005, 1_006].includes(code)) || (code >= 3_000 && code < 5_000);
  return isKnown && Buffer.from(bytes.subarray(2).toString()).equals(bytes.subarray(2));
}

export interface Verdict {
  /** The first frame that the policy forbids; Infinity = none. */
  readonly forbiddenAt: number;
  /** What is said for it. */
  readonly code: 1_002 | 1_008 | 1_009 | undefined;
  /** The first behind which nothing of ours may be put: a Close, or one that loses the framing; Infinity = none. */
  readonly lastWordAt: number;
}

/** The plain reading of what users are told, frame by frame. */
export function judge(frames: readonly Spoken[], policy: FramePolicy): Verdict {
  let [isInMessage, size, fragments] = [false, 0, 0];
  for (const [at, one] of frames.entries()) {
    const isLost = losesFraming(one, isInMessage);
    const isForbidden = policy.strictness === "Enforce" && (isLost || isFaulty(one));
    if (isForbidden) return { forbiddenAt: at, code: 1_002, lastWordAt: at };
    if (isLost || one.shape.opcode === 8) return { forbiddenAt: Infinity, code: undefined, lastWordAt: at };
    if (isControl(one.shape)) continue;
    size += sizeOf(one.shape);
    fragments += 1;
    const code = limitCode(size, fragments, policy);
    if (code !== undefined) return { forbiddenAt: at, code, lastWordAt: at };
    isInMessage = !one.shape.isFinal;
    if (!isInMessage) [size, fragments] = [0, 0];
  }
  return { forbiddenAt: Infinity, code: undefined, lastWordAt: Infinity };
}

function limitCode(size: number, fragments: number, policy: FramePolicy): Verdict["code"] {
  const { maxMessageBytes, maxFragments } = policy;
  if (maxMessageBytes > 0 && size > maxMessageBytes) return 1_009;
  return maxFragments > 0 && fragments > maxFragments ? 1_008 : undefined;
}

interface Own {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly size: number;
}

/** A control frame as the relay writes them, whole; undefined where there is none. */
function readOwn(bytes: Buffer, from: From): Own | undefined {
  if (bytes.length < 2) return undefined;
  const mask = from === "client" ? 4 : 0;
  const length = bytes.readUInt8(1) & 0x7f;
  const size = 2 + mask + length;
  if (bytes.readUInt8(1) >> 7 !== mask / 4 || length > 125 || bytes.length < size) return undefined;
  const payload = Buffer.from(bytes.subarray(2 + mask, size));
  for (const [at, byte] of payload.entries()) payload[at] = byte ^ (mask === 0 ? 0 : bytes.readUInt8(2 + (at % 4)));
  return { opcode: bytes.readUInt8(0), payload, size };
}

/**
 * Explains every byte that comes out of one direction: a frame that went in, in its turn, or one that the relay may put
 * in between two frames.
 */
export class Explainer {
  /** So many frames came out whole, in order. */
  frames = 0;
  /** Payloads of the Pings that the relay put in. */
  readonly pings: Buffer[] = [];
  /** Pongs that came out although they answered Pings of the relay. */
  strayPongs = 0;
  /** The code of the Close that the relay put in. */
  close: number | undefined = undefined;
  /** Behind how many frames the relay put in its last. */
  putInAt = 0;
  /** What cannot be explained. */
  riddle: string | undefined = undefined;
  readonly #spoken: readonly Spoken[];
  readonly #from: From;
  #pending = Buffer.alloc(0);

  constructor(spoken: readonly Spoken[], from: From) {
    this.#spoken = spoken;
    this.#from = from;
  }

  /** Bytes of a frame that has not come whole. */
  get cutBytes(): number {
    return this.#pending.length;
  }

  get hasAll(): boolean {
    return this.frames === this.#spoken.length;
  }

  take(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    for (let size = this.#explain(); size > 0; size = this.#explain()) this.#pending = this.#pending.subarray(size);
  }

  /** How many bytes are one whole frame; 0 = that is not known yet. */
  #explain(): number {
    const bytes = this.#pending;
    const next = this.#spoken[this.frames]?.bytes ?? Buffer.alloc(0);
    if (bytes.length === 0 || this.riddle !== undefined) return 0;
    if (next.length > 0 && bytes.subarray(0, next.length).equals(next)) {
      this.frames += 1;
      return this.close === undefined ? next.length : this.#puzzle("a frame behind our Close");
    }
    if (next.subarray(0, bytes.length).equals(bytes)) return 0;
    return this.#takeOwn(bytes);
  }

  #takeOwn(bytes: Buffer): number {
    const own = readOwn(bytes, this.#from);
    if (own === undefined) return bytes.length < 20 ? 0 : this.#puzzle("no frame of ours");
    if (this.close !== undefined) return this.#puzzle("a frame of ours behind our Close");
    if (own.opcode === 0x8a) this.strayPongs += 1;
    else this.putInAt = this.frames;
    if (own.opcode === 0x89) this.pings.push(own.payload);
    else if (own.opcode === 0x88 && own.payload.length === 2) this.close = own.payload.readUInt16BE(0);
    else if (own.opcode !== 0x8a) return this.#puzzle("neither Ping nor Pong nor Close");
    return own.size;
  }

  #puzzle(what: string): number {
    this.riddle = `${what} behind ${this.frames} frames of the ${this.#from}: ${this.#pending.toString("hex", 0, 20)}`;
    return 0;
  }
}
