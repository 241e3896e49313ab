import { MAX_CONTROL_PAYLOAD } from "./control-frames.ts";
import type { FrameFault } from "./frame-faults.ts";

// What the first byte of a frame means, given whether a fragmented message is open: one look-up in place of a tree of
// branches per frame.
export const CONTROL = 0x01;
export const CLOSE = 0x02;
export const PING = 0x80;
/** The frame is the last of a data message. */
export const COMPLETES = 0x04;
/** A fragmented message is open behind the frame. */
export const LEAVES_OPEN = 0x08;
/** A reserved bit is set that nobody owns. */
const RESERVED = 0x10;
/** Against RFC 6455 5.2, 5.4 or 5.5: the place of the fault in BROKEN_BY. */
const BROKEN = 0x60;
const BROKEN_SHIFT = 5;
const BROKEN_BY = [undefined, "reserved_opcode", "bad_control", "bad_continuation"] as const;
/** Not for the fast road: control frames are read, faults are counted. */
export const CAREFUL = CONTROL | RESERVED | BROKEN;

/** Added to a first byte to look it up inside a fragmented message. */
export const IN_MESSAGE = 256;
/** From a verdict to what is added for the next frame. */
export const OPEN_SHIFT = 5;

/** RSV1 to RSV3: as what extensions own, any of them. */
export const ALL_RESERVED_BITS = 0x70;
/** RSV1, when permessage-deflate alone is negotiated: lawful on the first frame of a message only (RFC 7692 6). */
export const PER_MESSAGE_COMPRESSED = 0x40;

/** What the headers of one sender have to look like. Shared by all who follow such a sender. */
export interface HeaderShape {
  /** 0x80 for a client, which masks every frame; 0 for a backend, which masks none (RFC 6455 5.1). */
  readonly maskBit: number;
  /** Bytes of a header with a 7-bit length: 6 with the key, else 2. */
  readonly shortHeader: number;
  /** By first byte, and by first byte + IN_MESSAGE. */
  readonly verdicts: Uint8Array;
}

function judge(firstByte: number, isInMessage: boolean, ownedBits: number): number {
  const opcode = firstByte & 0x0f;
  const isFinal = (firstByte & 0x80) !== 0;
  if (opcode >= 8) return opcode > 10 ? brokenBy("reserved_opcode") : judgeControl(firstByte, isInMessage, ownedBits);
  if (opcode > 2) return brokenBy("reserved_opcode");
  if ((opcode === 0) !== isInMessage) return brokenBy("bad_continuation");
  return (isFinal ? COMPLETES : LEAVES_OPEN) | reservedIn(firstByte, isInMessage ? notFirst(ownedBits) : ownedBits);
}

function judgeControl(firstByte: number, isInMessage: boolean, ownedBits: number): number {
  if ((firstByte & 0x80) === 0) return brokenBy("bad_control");
  const opcode = firstByte & 0x0f;
  const kind = opcode === 8 ? CLOSE : opcode === 9 ? PING : 0;
  return CONTROL | kind | (isInMessage ? LEAVES_OPEN : 0) | reservedIn(firstByte, notFirst(ownedBits));
}

function reservedIn(firstByte: number, ownedBits: number): number {
  return (firstByte & ALL_RESERVED_BITS & ~ownedBits) === 0 ? 0 : RESERVED;
}

/** The bits owned in a frame that does not begin a message. */
function notFirst(ownedBits: number): number {
  return ownedBits === PER_MESSAGE_COMPRESSED ? 0 : ownedBits;
}

function brokenBy(fault: (typeof BROKEN_BY)[number]): number {
  return BROKEN_BY.indexOf(fault) << BROKEN_SHIFT;
}

function shapesFor(maskBit: number, shortHeader: number): readonly HeaderShape[] {
  return Array.from({ length: 8 }, (_, index) => {
    const verdicts = Uint8Array.from({ length: 2 * IN_MESSAGE }, (_byte, at) =>
      judge(at & 0xff, at >= IN_MESSAGE, index << 4),
    );
    return Object.freeze({ maskBit, shortHeader, verdicts });
  });
}

const CLIENT_SHAPES = shapesFor(0x80, 6);
const BACKEND_SHAPES = shapesFor(0, 2);

/** @param reservedBits Those that negotiated extensions own, out of 0x70. */
export function headerShape(from: "client" | "backend", reservedBits: number): HeaderShape {
  return (from === "client" ? CLIENT_SHAPES : BACKEND_SHAPES)[(reservedBits & ALL_RESERVED_BITS) >> 4] as HeaderShape;
}

/** What the first two bytes of a header break: what loses the framing comes before what does not. */
export function headFault(verdict: number, secondByte: number, shape: HeaderShape): FrameFault | undefined {
  if ((verdict & BROKEN) !== 0) return BROKEN_BY[(verdict & BROKEN) >> BROKEN_SHIFT];
  if ((verdict & CONTROL) !== 0 && (secondByte & 0x7f) > MAX_CONTROL_PAYLOAD) return "bad_control";
  if ((secondByte & 0x80) !== shape.maskBit) return "bad_mask";
  return (verdict & RESERVED) === 0 ? undefined : "reserved_bits";
}

/** How many bytes of length follow the second byte. */
export function lengthBytesBehind(secondByte: number): 0 | 2 | 8 {
  const size = secondByte & 0x7f;
  return size === 127 ? 8 : size === 126 ? 2 : 0;
}

/** The payload length in a header that lies whole at `at`; exact below 2^53. */
export function lengthAt(chunk: Uint8Array, at: number): number {
  const size = (chunk[at + 1] as number) & 0x7f;
  if (size < 126) return size;
  if (size === 126) return ((chunk[at + 2] as number) << 8) | (chunk[at + 3] as number);
  let high = 0;
  let low = 0;
  for (let index = 2; index < 6; index += 1) {
    high = high * 256 + (chunk[at + index] as number);
    low = low * 256 + (chunk[at + index + 4] as number);
  }
  return high * 2 ** 32 + low;
}

/** Judges a payload length by the bytes that its header spends on it. */
export function lengthFault(lengthBytes: 0 | 2 | 8, length: number): "bad_length" | undefined {
  const least = lengthBytes === 8 ? 65_536 : lengthBytes === 2 ? 126 : 0;
  return length < least || length > Number.MAX_SAFE_INTEGER ? "bad_length" : undefined;
}
