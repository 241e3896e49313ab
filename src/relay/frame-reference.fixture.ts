import type { FrameFault } from "./frame-faults.ts";
import type { FrameTracker } from "./index.ts";
import type { From } from "./frames.fixture.ts";

/** What is known of a stream behind some of its bytes. */
export interface Known {
  messages: number;
  hasClose: boolean;
  closeCode: number | undefined;
  isOpaque: boolean;
  isAtFrameBoundary: boolean;
  isAtMessageBoundary: boolean;
  faults: number;
  fault: FrameFault | undefined;
  pings: number;
  pongs: number;
  lastPing: number;
  lastPong: number;
}

/** A frame as far as it is here. */
interface Piece {
  readonly opcode: number;
  readonly isControl: boolean;
  readonly isFinal: boolean;
  readonly reserved: number;
  readonly isMasked: boolean;
  /** As the second byte has it. */
  readonly sizeField: number;
  /** Undefined while its bytes are not all here. */
  readonly length: bigint | undefined;
  /** Bytes of the whole frame. */
  readonly size: number;
  readonly key: Uint8Array;
  /** As sent. */
  readonly payload: Buffer;
}

const NO_KEY = new Uint8Array(4);
const LEAST: Readonly<Record<number, bigint>> = { 126: 126n, 127: 65_536n };

function readPiece(bytes: Buffer): Piece {
  const [first, second] = [bytes.readUInt8(0), bytes.readUInt8(1)];
  const sizeField = second % 128;
  const lengthBytes = sizeField === 126 ? 2 : sizeField === 127 ? 8 : 0;
  const isMasked = second >= 128;
  const head = 2 + lengthBytes;
  const payloadAt = head + (isMasked ? 4 : 0);
  const length = bytes.length < head ? undefined : lengthOf(bytes, sizeField);
  const opcode = first % 16;
  return {
    opcode,
    isControl: [8, 9, 10].includes(opcode),
    isFinal: first >= 128,
    reserved: first & 0x70,
    isMasked,
    sizeField,
    length,
    size: payloadAt + Number(length ?? 0n),
    key: isMasked ? bytes.subarray(head, payloadAt) : NO_KEY,
    payload: bytes.subarray(payloadAt, payloadAt + Number(length ?? 0n)),
  };
}

function lengthOf(bytes: Buffer, sizeField: number): bigint {
  if (sizeField === 127) return bytes.readBigUInt64BE(2);
  return BigInt(sizeField === 126 ? bytes.readUInt16BE(2) : sizeField);
}

function losesFraming(piece: Piece, from: From, isInMessage: boolean): FrameFault | undefined {
  const { opcode, isControl, isFinal, sizeField, isMasked } = piece;
  if (!isControl && ![0, 1, 2].includes(opcode)) return "reserved_opcode";
  if (isControl && (!isFinal || sizeField > 125)) return "bad_control";
  if (!isControl && (opcode === 0) !== isInMessage) return "bad_continuation";
  return isMasked === (from === "client") ? undefined : "bad_mask";
}

function hasForeignBits({ opcode, reserved }: Piece, ownedBits: number): boolean {
  // permessage-deflate's bit belongs to the first frame of a message.
  const owned = ownedBits === 0x40 && opcode !== 1 && opcode !== 2 ? 0 : ownedBits;
  return (reserved & ~owned) !== 0;
}

function isTooLong({ length = 0n }: Piece): boolean {
  return length > BigInt(Number.MAX_SAFE_INTEGER);
}

function isLongForm({ length, sizeField }: Piece): boolean {
  return length !== undefined && length < (LEAST[sizeField] ?? 0n);
}

function unmasked({ payload, key }: Piece): Buffer {
  return Buffer.from(payload.map((byte, index) => byte ^ (key[index % 4] ?? 0)));
}

/** FNV-1a of 32 bits of what a masked payload means, as a signed number; never 0. */
function hashOf({ payload, key }: Piece): number {
  let hash = 0x811c9dc5 | 0;
  for (const [index, byte] of payload.entries()) hash = Math.imul(hash ^ byte ^ (key[index % 4] ?? 0), 0x01000193);
  return hash || 1;
}

function isGoodClose(payload: Buffer): boolean {
  if (payload.length < 2) return payload.length === 0;
  const code = payload.readUInt16BE(0);
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  if (!registered.includes(code) && !(code >= 3000 && code < 5000)) return false;
  const reason = payload.subarray(2);
  return Buffer.from(reason.toString("utf8"), "utf8").equals(reason);
}

const NOTHING: Known = {
  messages: 0,
  hasClose: false,
  closeCode: undefined,
  isOpaque: false,
  isAtFrameBoundary: true,
  isAtMessageBoundary: true,
  faults: 0,
  fault: undefined,
  pings: 0,
  pongs: 0,
  lastPing: 0,
  lastPong: 0,
};

/** The plain reading of RFC 6455 5.2 over all bytes so far, written without a thought for speed or chunks. */
export function reference(bytes: Buffer, from: From, ownedBits = 0x70): Known {
  const known = { ...NOTHING };
  let isInMessage = false;
  const note = (fault: FrameFault) => {
    known.faults += 1;
    known.fault ??= fault;
  };
  for (let at = 0; at < bytes.length && !known.hasClose && !known.isOpaque; ) {
    const rest = bytes.subarray(at);
    const piece = rest.length < 2 ? undefined : readPiece(rest);
    const isWhole = piece !== undefined && takeFrame(piece, rest.length);
    if (!isWhole) return { ...known, isAtFrameBoundary: false, isAtMessageBoundary: false };
    at += piece.size;
    known.isAtMessageBoundary = !isInMessage;
  }
  return known;

  /** Whether the frame is whole and its end known, and takes it if so. */
  function takeFrame(piece: Piece, available: number): boolean {
    const lost = losesFraming(piece, from, isInMessage);
    if (lost !== undefined) note(lost);
    else {
      if (hasForeignBits(piece, ownedBits)) note("reserved_bits");
      if (isTooLong(piece) || isLongForm(piece)) note("bad_length");
    }
    known.isOpaque = lost !== undefined || isTooLong(piece);
    if (known.isOpaque || piece.length === undefined || available < piece.size) return false;
    takePayload(piece);
    return true;
  }

  function takePayload(piece: Piece): void {
    if (piece.opcode === 8) takeClose(unmasked(piece));
    else if (piece.opcode === 9) Object.assign(known, { pings: known.pings + 1, lastPing: hashOf(piece) });
    else if (piece.opcode === 10) Object.assign(known, { pongs: known.pongs + 1, lastPong: hashOf(piece) });
    else {
      isInMessage = !piece.isFinal;
      known.messages += piece.isFinal ? 1 : 0;
    }
  }

  function takeClose(payload: Buffer): void {
    if (!isGoodClose(payload)) note("bad_close");
    known.hasClose = true;
    known.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
  }
}

/** What a tracker says of the same. */
export function knownBy(tracker: FrameTracker): Known {
  const { messages, hasClose, closeCode, isOpaque, isAtFrameBoundary, isAtMessageBoundary } = tracker;
  const { faults, fault, pings, pongs, lastPing, lastPong } = tracker;
  const boundaries = { isOpaque, isAtFrameBoundary, isAtMessageBoundary };
  return { messages, hasClose, closeCode, ...boundaries, faults, fault, pings, pongs, lastPing, lastPong };
}
