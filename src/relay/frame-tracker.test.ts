import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Boundary, encodeClose, FrameTracker } from "./index.ts";

type From = "client" | "backend";

interface FrameShape {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly reserved: number;
  /** Bytes, or a size and a fill, which prints short in a counterexample. */
  readonly payload: Uint8Array | readonly [size: number, fill: number];
  /** Undefined = the shortest encoding. */
  readonly lengthBytes: 0 | 2 | 8 | undefined;
}

function frame(shape: Partial<FrameShape>, from: From): Buffer {
  const { opcode = 2, isFinal = true, reserved = 0, lengthBytes = 0 } = shape;
  const spec = shape.payload ?? [0, 0];
  const payload = spec instanceof Uint8Array ? spec : new Uint8Array(spec[0]).fill(spec[1]);
  const size = payload.length;
  const extension = Math.max(lengthBytes, size < 126 ? 0 : size < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + extension);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (from === "client" ? 0x80 : 0) | (extension === 0 ? size : extension === 2 ? 126 : 127);
  if (extension === 2) head.writeUInt16BE(size, 2);
  if (extension === 8) head.writeBigUInt64BE(BigInt(size), 2);
  if (from === "backend") return Buffer.concat([head, payload]);
  const key = Buffer.from([0x13, 0xa7, 0x5c, 0xee]);
  return Buffer.concat([head, key, payload.map((byte, index) => byte ^ key[index % 4]!)]);
}

interface Known {
  messages: number;
  hasClose: boolean;
  closeCode: number | undefined;
  isOpaque: boolean;
  isAtFrameBoundary: boolean;
  isAtMessageBoundary: boolean;
}

/** The plain reading of RFC 6455 5.2 over all bytes so far, written without a thought for speed or chunks. */
function reference(bytes: Buffer, from: From): Known {
  const known: Known = {
    messages: 0,
    hasClose: false,
    closeCode: undefined,
    isOpaque: false,
    isAtFrameBoundary: true,
    isAtMessageBoundary: true,
  };
  let at = 0;
  let isInMessage = false;
  const lost = () => ({ ...known, isOpaque: true, isAtFrameBoundary: false, isAtMessageBoundary: false });
  const inside = () => ({ ...known, isAtFrameBoundary: false, isAtMessageBoundary: false });
  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    if (rest.length < 2) return inside();
    const isFinal = rest[0]! >= 128;
    const opcode = rest[0]! % 16;
    const isMasked = rest[1]! >= 128;
    let size = rest[1]! % 128;
    const isControl = [8, 9, 10].includes(opcode);
    if (!isControl && ![0, 1, 2].includes(opcode)) return lost();
    if (isMasked !== (from === "client")) return lost();
    if (isControl && (!isFinal || size > 125)) return lost();
    if (!isControl && (opcode === 0) !== isInMessage) return lost();
    let head = 2;
    if (size === 126) {
      if (rest.length < 4) return inside();
      size = rest.readUInt16BE(2);
      head = 4;
    } else if (size === 127) {
      if (rest.length < 10) return inside();
      const long = rest.readBigUInt64BE(2);
      if (long > BigInt(Number.MAX_SAFE_INTEGER)) return lost();
      size = Number(long);
      head = 10;
    }
    const key = isMasked ? rest.subarray(head, head + 4) : Buffer.alloc(4);
    if (isMasked) head += 4;
    if (rest.length < head + size) return inside();
    at += head + size;
    if (opcode === 8) {
      const plain = rest.subarray(head, head + size).map((byte, index) => byte ^ key[index % 4]!);
      return {
        ...known,
        hasClose: true,
        closeCode: size >= 2 ? plain[0]! * 256 + plain[1]! : 1005,
        isAtMessageBoundary: !isInMessage,
      };
    }
    if (!isControl) {
      isInMessage = !isFinal;
      if (isFinal) known.messages += 1;
    }
    known.isAtMessageBoundary = !isInMessage;
  }
  return known;
}

function knownBy(tracker: FrameTracker): Known {
  const { messages, hasClose, closeCode, isOpaque, isAtFrameBoundary, isAtMessageBoundary } = tracker;
  return { messages, hasClose, closeCode, isOpaque, isAtFrameBoundary, isAtMessageBoundary };
}

function chunked(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
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
const from = fc.constantFrom<From>("client", "backend");
const reserved = fc.integer({ min: 0, max: 7 });
const control = fc.record({
  opcode: fc.constantFrom(9, 10),
  isFinal: fc.constant(true),
  reserved,
  payload: fc.uint8Array({ maxLength: 125 }),
});
/** Fragments of one message with control frames between them. */
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
const close = fc.record({ opcode: fc.constant(8), payload: fc.uint8Array({ maxLength: 20 }) });
const conversation = fc
  .tuple(
    fc.array(
      fc.oneof(
        message,
        control.map((one) => [one]),
      ),
      { maxLength: 6 },
    ),
    fc.option(close),
  )
  .map(([parts, last]): Partial<FrameShape>[] => [...parts.flat(), ...(last === null ? [] : [last])]);
const anything: fc.Arbitrary<Partial<FrameShape>> = fc.record({
  opcode: fc.integer({ min: 0, max: 15 }),
  isFinal: fc.boolean(),
  reserved,
  payload: payloads,
  lengthBytes: fc.constantFrom(undefined, undefined, 2, 8),
});
const chunkSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 70_000 })), {
  minLength: 1,
  maxLength: 20,
});

function sameAsReference(bytes: Buffer, sender: From, sizes: readonly number[]): void {
  const tracker = new FrameTracker(sender);
  let seen = 0;
  for (const chunk of chunked(bytes, sizes)) {
    tracker.track(chunk);
    seen += chunk.length;
    expect(knownBy(tracker)).toEqual(reference(bytes.subarray(0, seen), sender));
  }
}

describe("under any chunking the tracker knows what the reference knows", () => {
  test("of lawful conversations with fragments and control frames between", () => {
    fc.assert(
      fc.property(conversation, from, chunkSizes, (frames, sender, sizes) => {
        sameAsReference(Buffer.concat(frames.map((one) => frame(one, sender))), sender, sizes);
      }),
      { numRuns: 300 },
    );
  });

  test("of frames in any order, lawful or not", () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 6 }), from, from, chunkSizes, (frames, sender, masks, sizes) => {
        sameAsReference(Buffer.concat(frames.map((one) => frame(one, masks))), sender, sizes);
      }),
      { numRuns: 300 },
    );
  });

  test("of bytes without sense", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), from, chunkSizes, (bytes, sender, sizes) => {
        sameAsReference(Buffer.from(bytes), sender, sizes);
      }),
      { numRuns: 2_000 },
    );
  });

  test.for([
    { name: "an empty message", firstByte: 0x81 },
    { name: "an empty Close", firstByte: 0x88 },
  ])("$name that a backend masks, byte by byte, counts for nothing", ({ firstByte }) => {
    const tracker = new FrameTracker("backend");
    for (const byte of [firstByte, 0x80, 0, 0, 0, 0]) tracker.track(Uint8Array.of(byte));
    expect(knownBy(tracker)).toMatchObject({ messages: 0, hasClose: false, isOpaque: true });
  });

  test("when every header comes byte by byte", () => {
    for (const sender of ["client", "backend"] as const) {
      const frames = [{ payload: new Uint8Array(70_000) }, { opcode: 1, isFinal: false, payload: new Uint8Array(200) }];
      const tail = [{ opcode: 9 }, { opcode: 0 }, { opcode: 8, payload: Uint8Array.of(0x0f, 0xa1, 1, 2) }];
      const bytes = Buffer.concat([...frames, ...tail].map((one) => frame(one, sender)));
      const tracker = new FrameTracker(sender);
      for (const byte of bytes) tracker.track(Uint8Array.of(byte));
      expect(knownBy(tracker)).toMatchObject({ messages: 2, hasClose: true, closeCode: 4001, isOpaque: false });
    }
  });
});

test("trackTo stops at the first boundary at or after the offset, wherever the chunk was split before", () => {
  const kinds = fc.constantFrom<Boundary>("frame", "message");
  const places = fc.tuple(fc.nat(), fc.nat(), fc.nat());
  fc.assert(
    fc.property(conversation, from, kinds, places, (frames, sender, boundary, [a, b, c]) => {
      const bytes = Buffer.concat(frames.map((one) => frame(one, sender)));
      const [start, offset, end] = [a, b, c].map((n) => n % (bytes.length + 1)).sort((x, y) => x - y) as [
        number,
        number,
        number,
      ];
      const tracker = new FrameTracker(sender);
      tracker.track(bytes.subarray(0, start));
      tracker.track(bytes.subarray(start, offset));
      const isAt = (at: number) => {
        const known = reference(bytes.subarray(0, at), sender);
        return known.hasClose || (boundary === "frame" ? known.isAtFrameBoundary : known.isAtMessageBoundary);
      };
      let expected = offset;
      while (expected < end && !isAt(expected)) expected += 1;
      expect(tracker.trackTo(boundary, bytes.subarray(start, end), offset - start)).toBe(expected - start);
      expect(knownBy(tracker)).toEqual(reference(bytes.subarray(0, expected), sender));
    }),
    { numRuns: 300 },
  );
});

const long = (high: number, low: number) => {
  const bytes = Buffer.alloc(10);
  bytes[0] = 0x82;
  bytes[1] = 127;
  bytes.writeUInt32BE(high, 2);
  bytes.writeUInt32BE(low, 6);
  return bytes;
};

test.for([
  { name: "a reserved data opcode", bytes: [0x83, 0x00] },
  { name: "a reserved control opcode", bytes: [0x8b, 0x00] },
  { name: "a fragmented Ping", bytes: [0x09, 0x00] },
  { name: "a Ping of 126 bytes", bytes: [0x89, 126, 0, 126] },
  { name: "a masked frame from a backend", bytes: [0x82, 0x80] },
  { name: "a continuation of nothing", bytes: [0x80, 0x00] },
  { name: "a new message inside a fragmented one", bytes: [0x01, 0x00, 0x82, 0x00] },
  { name: "a length with the top bit", bytes: [...long(0x8000_0000, 0)] },
  { name: "a length of 2^53", bytes: [...long(2 ** 21, 0)] },
])("$name loses the framing", ({ bytes }) => {
  const tracker = new FrameTracker("backend");
  tracker.track(Uint8Array.from(bytes));
  expect(tracker.isOpaque).toBe(true);
  tracker.track(frame({ payload: new Uint8Array(5) }, "backend"));
  expect(knownBy(tracker)).toMatchObject({ isOpaque: true, isAtFrameBoundary: false, isAtMessageBoundary: false });
});

test("reserved bits are an extension's and lose nothing", () => {
  const tracker = new FrameTracker("client");
  tracker.track(frame({ reserved: 7, payload: new Uint8Array(3) }, "client"));
  expect(tracker.messages).toBe(1);
});

test("a payload near 2^53 bytes is counted down exactly", () => {
  const tracker = new FrameTracker("backend");
  tracker.track(long(2 ** 21 - 1, 2 ** 32 - 1));
  tracker.track(new Uint8Array(1_000));
  expect(knownBy(tracker)).toMatchObject({ isOpaque: false, isAtFrameBoundary: false, messages: 0 });
});

test("the code is read of the Close frames we write, masked and plain", () => {
  for (const [sender, key] of [
    ["client", 0xf00d_cafe],
    ["backend", undefined],
  ] as const) {
    const tracker = new FrameTracker(sender);
    tracker.track(encodeClose(4_999, key));
    expect(tracker.closeCode).toBe(4_999);
  }
});
