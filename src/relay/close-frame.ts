/** A control frame's payload is 125 bytes at most (RFC 6455 5.5), two of them the code. */
const MOST_REASON_BYTES = 123;

/**
 * A Close frame with a code and, where one is given, a reason (RFC 6455 5.5.1).
 * @param code 1000 to 4999.
 * @param maskKey 32 bits from a random source, for a frame to a backend; undefined leaves the frame unmasked, as a
 * client must get it (RFC 6455 5.1).
 * @param reason goes as UTF-8; one that is longer than 123 bytes is left out, since it cannot be sent.
 */
export function encodeClose(code: number, maskKey: number | undefined, reason = ""): Uint8Array {
  const words = reason === "" ? NO_WORDS : Buffer.from(reason, "utf8");
  const text = words.length > MOST_REASON_BYTES ? NO_WORDS : words;
  const payload = Uint8Array.of(code >>> 8, code & 0xff, ...text);
  if (maskKey === undefined) return Uint8Array.of(0x88, payload.length, ...payload);
  const key = [maskKey >>> 24, (maskKey >>> 16) & 0xff, (maskKey >>> 8) & 0xff, maskKey & 0xff] as const;
  return Uint8Array.of(0x88, 0x80 | payload.length, ...key, ...payload.map((byte, i) => byte ^ (key[i % 4] as number)));
}

const NO_WORDS = new Uint8Array(0);
