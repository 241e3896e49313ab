/**
 * A Close frame that carries a code and no reason (RFC 6455 5.5.1).
 * @param code 1000 to 4999.
 * @param maskKey 32 bits from a random source, for a frame to a backend; undefined leaves the frame unmasked, as a
 * client must get it (RFC 6455 5.1).
 */
export function encodeClose(code: number, maskKey: number | undefined): Uint8Array {
  const high = code >>> 8;
  const low = code & 0xff;
  if (maskKey === undefined) return Uint8Array.of(0x88, 0x02, high, low);
  const key = [maskKey >>> 24, (maskKey >>> 16) & 0xff, (maskKey >>> 8) & 0xff, maskKey & 0xff] as const;
  return Uint8Array.of(0x88, 0x82, ...key, high ^ key[0], low ^ key[1]);
}
