import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { knownBy, reference } from "./frame-reference.fixture.ts";
import {
  anything,
  chunked,
  chunkSizes,
  closePayload,
  frame,
  framedConversations,
  type From,
  lawfulConversations,
  longHead,
  senders,
  streamOf,
} from "./frames.fixture.ts";
import { type Boundary, encodeClose, FrameTracker } from "./index.ts";

/** None, permessage-deflate's, one of another, and all. */
const ownedBits = fc.constantFrom(0, 0x40, 0x20, 0x70);

function sameAsReference(bytes: Buffer, sender: From, sizes: readonly number[], owned: number): void {
  const tracker = new FrameTracker(sender, owned);
  let seen = 0;
  for (const chunk of chunked(bytes, sizes)) {
    tracker.track(chunk);
    seen += chunk.length;
    expect(knownBy(tracker)).toEqual(reference(bytes.subarray(0, seen), sender, owned));
  }
}

describe("under any chunking the tracker knows what the reference knows", () => {
  test("of lawful conversations with fragments and control frames between", () => {
    fc.assert(
      fc.property(framedConversations, senders, chunkSizes, ownedBits, (frames, sender, sizes, owned) => {
        sameAsReference(streamOf(frames, sender), sender, sizes, owned);
      }),
      { numRuns: 80 },
    );
  });

  test("of frames in any order, lawful or not", () => {
    const streams = fc.tuple(fc.array(anything, { maxLength: 6 }), senders);
    fc.assert(
      fc.property(streams, senders, chunkSizes, ownedBits, ([frames, masks], sender, sizes, owned) => {
        sameAsReference(streamOf(frames, masks), sender, sizes, owned);
      }),
      { numRuns: 150 },
    );
  });

  test("of bytes without sense", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), senders, chunkSizes, ownedBits, (bytes, sender, sizes, owned) => {
        sameAsReference(Buffer.from(bytes), sender, sizes, owned);
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
    fc.property(framedConversations, senders, kinds, places, (frames, sender, boundary, [a, b, c]) => {
      const bytes = streamOf(frames, sender);
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
      // Nowhere but where a frame ends, or where we stand.
      const ends = frames.map((_, index) => streamOf(frames.slice(0, index + 1), sender).length);
      const expected = [offset, ...ends].find((at) => at >= offset && at <= end && isAt(at)) ?? end;
      expect(tracker.trackTo(boundary, bytes.subarray(start, end), offset - start)).toBe(expected - start);
      expect(knownBy(tracker)).toEqual(reference(bytes.subarray(0, expected), sender));
    }),
    { numRuns: 300 },
  );
});

test("without another word reserved bits are an extension's: nothing is lost or counted", () => {
  const tracker = new FrameTracker("client");
  tracker.track(frame({ reserved: 7, payload: new Uint8Array(3) }, "client"));
  expect(knownBy(tracker)).toMatchObject({ messages: 1, faults: 0, fault: undefined });
});

test("a payload near 2^53 bytes is counted down exactly", () => {
  const tracker = new FrameTracker("backend");
  tracker.track(longHead(2 ** 21 - 1, 2 ** 32 - 1, "backend"));
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

test("a lawful conversation has no fault, with no extension negotiated", () => {
  fc.assert(
    fc.property(lawfulConversations, senders, chunkSizes, (frames, sender, sizes) => {
      const tracker = new FrameTracker(sender, 0);
      for (const chunk of chunked(streamOf(frames, sender), sizes)) tracker.track(chunk);
      expect(tracker.faults).toBe(0);
    }),
  );
});

test("a part of a chunk is followed as if it were all of it", () => {
  const places = fc.tuple(fc.nat(), fc.nat());
  fc.assert(
    fc.property(framedConversations, senders, places, (frames, sender, [a, b]) => {
      const bytes = streamOf(frames, sender);
      const cuts = [a, b].map((n) => n % (bytes.length + 1)).sort((x, y) => x - y);
      const tracker = new FrameTracker(sender);
      let from = 0;
      for (const end of [...cuts, bytes.length]) {
        tracker.track(bytes, from, end);
        expect(knownBy(tracker)).toEqual(reference(bytes.subarray(0, end), sender));
        from = end;
      }
    }),
  );
});

describe("whether the last Ping was answered", () => {
  const ping = (text: string) => frame({ opcode: 9, payload: Buffer.from(text) }, "backend");
  const pong = (text: string) => frame({ opcode: 10, payload: Buffer.from(text) }, "client");
  const answered = (down: FrameTracker, up: FrameTracker) => up.lastPong === down.lastPing;

  test("shows in the hashes, masked or not, one byte after another", () => {
    const [up, down] = [new FrameTracker("client"), new FrameTracker("backend")];
    down.track(ping("first"));
    down.track(ping("second"));
    expect(answered(down, up)).toBe(false);
    for (const byte of pong("first")) up.track(Uint8Array.of(byte));
    expect(answered(down, up)).toBe(false);
    for (const byte of pong("second")) up.track(Uint8Array.of(byte));
    expect(answered(down, up)).toBe(true);
    expect([down.pings, up.pongs, down.pongs, up.pings]).toEqual([2, 2, 0, 0]);
  });

  test("an empty Ping has a hash of its own, and one that has not passed whole has none", () => {
    const down = new FrameTracker("backend");
    down.track(ping("half").subarray(0, 5));
    expect([down.pings, down.lastPing]).toEqual([0, 0]);
    const other = new FrameTracker("backend");
    other.track(ping(""));
    expect(other.lastPing).not.toBe(0);
  });
});

test("nothing is counted behind a Close or behind the loss of framing", () => {
  const closed = new FrameTracker("backend", 0);
  closed.track(
    Buffer.concat([frame({ opcode: 8, payload: closePayload(1000) }, "backend"), Buffer.from([0xff, 0xff])]),
  );
  expect(knownBy(closed)).toMatchObject({ faults: 0, hasClose: true, isOpaque: false });
  const lost = new FrameTracker("backend", 0);
  lost.track(Buffer.from([0x83, 0x00, 0x8b, 0x00, 0x89, 0x00]));
  expect(knownBy(lost)).toMatchObject({ faults: 1, fault: "reserved_opcode", isOpaque: true, pings: 0 });
});
