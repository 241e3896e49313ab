import fc from "fast-check";

export type From = "client" | "backend";

export interface FrameShape {
  readonly opcode: number;
  readonly isFinal: boolean;
  /** RSV1 to RSV3 as a number of three bits: RSV1 is 4. */
  readonly reserved: number;
  /** Bytes, or a size and a fill, which prints short in a counterexample. */
  readonly payload: Uint8Array | readonly [size: number, fill: number];
  /** How many bytes the length has at least behind the second one; undefined = the shortest encoding. */
  readonly lengthBytes: 0 | 2 | 8 | undefined;
}

const KEY = Buffer.from([0x13, 0xa7, 0x5c, 0xee]);

const PLAIN: FrameShape = { opcode: 2, isFinal: true, reserved: 0, payload: [0, 0], lengthBytes: undefined };

/** As a client masks with KEY. */
function masked(payload: Uint8Array): Uint8Array {
  return payload.map((byte, index) => byte ^ KEY.readUInt8(index % 4));
}

/** A frame as written by whoever masks as `from` does. */
export function frame(shape: Partial<FrameShape>, from: From): Buffer {
  const { opcode, isFinal, reserved, payload: spec, lengthBytes } = { ...PLAIN, ...shape };
  const payload = spec instanceof Uint8Array ? spec : new Uint8Array(spec[0]).fill(spec[1]);
  const size = payload.length;
  const extension = Math.max(lengthBytes ?? 0, size < 126 ? 0 : size < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + extension);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (from === "client" ? 0x80 : 0) | (extension === 0 ? size : extension === 2 ? 126 : 127);
  if (extension === 2) head.writeUInt16BE(size, 2);
  if (extension === 8) head.writeBigUInt64BE(BigInt(size), 2);
  return from === "backend" ? Buffer.concat([head, payload]) : Buffer.concat([head, KEY, masked(payload)]);
}

export function streamOf(frames: readonly Partial<FrameShape>[], from: From): Buffer {
  return Buffer.concat(frames.map((one) => frame(one, from)));
}

/** A header alone, without key, of a final binary frame with a 64-bit length. */
export function longHead(high: number, low: number, from: From): Buffer {
  const bytes = Buffer.alloc(from === "client" ? 14 : 10);
  bytes[0] = 0x82;
  bytes[1] = from === "client" ? 0xff : 127;
  bytes.writeUInt32BE(high, 2);
  bytes.writeUInt32BE(low, 6);
  return bytes;
}

/** Cuts bytes into chunks of these sizes, over and over. */
export function chunked(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 6 }),
  fc.integer({ min: 0, max: 140 }),
  fc.constantFrom(125, 126, 127, 65_535, 65_536),
);
const payloads = fc.tuple(sizes, fc.integer({ min: 0, max: 255 }));
const anyReserved = fc.integer({ min: 0, max: 7 });

export const senders: fc.Arbitrary<From> = fc.constantFrom<From>("client", "backend");

export const chunkSizes: fc.Arbitrary<number[]> = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 70_000 })),
  { minLength: 1, maxLength: 20 },
);

/** Frames in any order, lawful or not. */
export const anything: fc.Arbitrary<Partial<FrameShape>> = fc.record({
  opcode: fc.integer({ min: 0, max: 15 }),
  isFinal: fc.boolean(),
  reserved: anyReserved,
  payload: payloads,
  lengthBytes: fc.constantFrom(undefined, undefined, 2, 8),
});

/** Fragmented messages, control frames between and inside them, and perhaps a Close at the end. */
function conversations(options: {
  /** RSV bits of control frames. */
  readonly reserved: fc.Arbitrary<number>;
  readonly closes: fc.Arbitrary<Uint8Array>;
}): fc.Arbitrary<Partial<FrameShape>[]> {
  const control = fc.record({
    opcode: fc.constantFrom(9, 10),
    isFinal: fc.constant(true),
    reserved: options.reserved,
    payload: fc.uint8Array({ maxLength: 125 }),
  });
  const message = fc
    .tuple(
      fc.constantFrom(1, 2),
      fc.array(fc.tuple(payloads, fc.array(control, { maxLength: 2 })), { minLength: 1, maxLength: 4 }),
    )
    .map(([opcode, parts]) =>
      parts.flatMap(([payload, between], index): Partial<FrameShape>[] => [
        { opcode: index === 0 ? opcode : 0, isFinal: index === parts.length - 1, payload },
        ...(index === parts.length - 1 ? [] : between),
      ]),
    );
  const close = fc.record({ opcode: fc.constant(8), payload: options.closes });
  const parts = fc.oneof(
    message,
    control.map((one) => [one]),
  );
  return fc
    .tuple(fc.array(parts, { maxLength: 6 }), fc.option(close))
    .map(([frames, last]): Partial<FrameShape>[] => [...frames.flat(), ...(last === null ? [] : [last])]);
}

/** Any reserved bits in control frames, any bytes in a Close: lawful only where nobody asks for more than framing. */
export const framedConversations: fc.Arbitrary<Partial<FrameShape>[]> = conversations({
  reserved: anyReserved,
  closes: fc.uint8Array({ maxLength: 20 }),
});

const lawfulCloses = fc.oneof(
  fc.constant(new Uint8Array(0)),
  fc
    .tuple(fc.constantFrom(1000, 1001, 1003, 1007, 1012, 1014, 3000, 4999), fc.constantFrom("", "so long", "adiós 👋"))
    .map(([code, reason]) => closePayload(code, Buffer.from(reason))),
);

/** Without a fault. */
export const lawfulConversations: fc.Arbitrary<Partial<FrameShape>[]> = conversations({
  reserved: fc.constant(0),
  closes: lawfulCloses,
});

export function closePayload(code: number, reason: Uint8Array = new Uint8Array(0)): Uint8Array {
  return Uint8Array.of(code >> 8, code & 0xff, ...reason);
}
