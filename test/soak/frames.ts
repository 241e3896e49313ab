/**
 * Frames of RFC 6455 as the soak's peers write and read them. Written for the soak alone: what judges the relay must
 * not share its mistakes.
 */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  /** The three bits between FIN and opcode, as a number of 0 to 7. */
  readonly reserved: number;
  /** Of a masked frame. */
  readonly key: Buffer | undefined;
  /** Unmasked. */
  readonly payload: Buffer;
}

/** How the length is written: as short as it can be, or in 2 or 8 bytes whatever it is. */
type LengthForm = "shortest" | 2 | 8;

export function encodeFrame(frame: Frame, form: LengthForm = "shortest"): Buffer {
  const { payload, key } = frame;
  const size = payload.length;
  const extra = form !== "shortest" ? form : size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extra + (key === undefined ? 0 : 4));
  head[0] = (frame.isFinal ? 0x80 : 0) | (frame.reserved << 4) | frame.opcode;
  head[1] = (key === undefined ? 0 : 0x80) | (extra === 0 ? size : extra === 2 ? 126 : 127);
  if (extra === 2) head.writeUInt16BE(size, 2);
  if (extra === 8) head.writeBigUInt64BE(BigInt(size), 2);
  if (key === undefined) return Buffer.concat([head, payload]);
  key.copy(head, 2 + extra);
  return Buffer.concat([head, xored(payload, key)]);
}

/** The payload of a Close frame; no code, no payload. */
export function closePayload(code: number | undefined, reason = ""): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]);
}

/** The code in the payload of a Close frame; 1005 = it has none, as in the log. */
export function closeCode(payload: Buffer): number {
  return payload.length < 2 ? 1005 : payload.readUInt16BE(0);
}

/** Codes that may stand in a Close frame, as far as they have been given out. */
export function mayBeSaid(code: number): boolean {
  return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

function xored(bytes: Buffer, key: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  for (let at = 0; at < bytes.length; at += 1) out[at] = (bytes[at] as number) ^ (key[at & 3] as number);
  return out;
}

/** A frame as it stood on the wire, too. */
export interface ReadFrame extends Frame {
  readonly raw: Buffer;
}

/** Finds frames in the bytes of one direction, in whatever pieces they come. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): void {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
  }

  /** The next frame, if it has come whole. */
  next(): ReadFrame | undefined {
    const head = this.#peek(14);
    if (head.length < 2) return undefined;
    const short = (head[1] as number) & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    const isMasked = ((head[1] as number) & 0x80) !== 0;
    const headSize = 2 + extra + (isMasked ? 4 : 0);
    if (head.length < headSize) return undefined;
    const size = extra === 0 ? short : extra === 2 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    if (this.#size < headSize + size) return undefined;
    const raw = this.#take(headSize + size);
    const key = isMasked ? raw.subarray(headSize - 4, headSize) : undefined;
    const body = raw.subarray(headSize);
    return {
      opcode: (raw[0] as number) & 0x0f,
      isFinal: ((raw[0] as number) & 0x80) !== 0,
      reserved: ((raw[0] as number) >> 4) & 7,
      key,
      payload: key === undefined ? body : xored(body, key),
      raw,
    };
  }

  /** All that has come and belongs to no frame yet. */
  takeRest(): Buffer {
    return this.#take(this.#size);
  }

  #peek(count: number): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && (first.length >= count || this.#pieces.length === 1)) return first.subarray(0, count);
    return Buffer.concat(this.#pieces.slice(0, count)).subarray(0, count);
  }

  #take(count: number): Buffer {
    const all = this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    this.#pieces = count < all.length ? [all.subarray(count)] : [];
    this.#size = all.length - count;
    return all.subarray(0, count);
  }
}
