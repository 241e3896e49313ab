/** Bytes (RFC 6455 5.5). */
export const MAX_CONTROL_PAYLOAD = 125;

/** A control frame as its receiver reads it. */
export interface ControlFrame {
  /** 8 Close, 9 Ping, 10 Pong. */
  readonly opcode: number;
  /** Unmasked; a copy. */
  readonly payload: Uint8Array;
}

/**
 * A Ping frame (RFC 6455 5.5.2).
 * @param payload 125 bytes at most; a longer one is our own fault and throws.
 * @param maskKey 32 bits from a random source, for a frame to a backend; undefined leaves the frame unmasked, as a
 * client must get it (RFC 6455 5.1).
 */
export function encodePing(payload: Uint8Array, maskKey: number | undefined): Uint8Array {
  const size = payload.length;
  if (size > MAX_CONTROL_PAYLOAD) throw new RangeError(`a Ping of ${size} bytes; ${MAX_CONTROL_PAYLOAD} at most`);
  if (maskKey === undefined) return Uint8Array.of(0x89, size, ...payload);
  const key = [maskKey >>> 24, (maskKey >>> 16) & 0xff, (maskKey >>> 8) & 0xff, maskKey & 0xff];
  const masked = payload.map((byte, index) => byte ^ (key[index & 3] as number));
  return Uint8Array.of(0x89, 0x80 | size, ...key, ...masked);
}

/** Reads a frame that is known to be a whole, lawful control frame: header, key if it is masked, payload. */
export function readControlFrame(frame: Uint8Array): ControlFrame {
  const second = frame[1] as number;
  const isMasked = (second & 0x80) !== 0;
  const payload = new Uint8Array(second & 0x7f);
  const payloadAt = isMasked ? 6 : 2;
  for (let at = 0; at < payload.length; at += 1) {
    const key = isMasked ? (frame[2 + (at & 3)] as number) : 0;
    payload[at] = (frame[payloadAt + at] as number) ^ key;
  }
  return { opcode: (frame[0] as number) & 0x0f, payload };
}
