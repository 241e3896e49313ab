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

describe("a Ping is answered", () => {
  /** Both directions of a tunnel, each knowing the other. */
  function pair(): { readonly up: FrameTracker; readonly down: FrameTracker } {
    const [up, down] = [new FrameTracker("client", 0), new FrameTracker("backend", 0)];
    up.opposite = down;
    down.opposite = up;
    return { up, down };
  }
  const control = (from: From, opcode: number, text: string) => frame({ opcode, payload: Buffer.from(text) }, from);
  const ping = (text: string, from: From = "backend") => control(from, 9, text);
  const pong = (text: string, from: From = "client") => control(from, 10, text);
  const sides = [
    { asks: "backend", answers: "client", direction: "down" },
    { asks: "client", answers: "backend", direction: "up" },
  ] as const;

  test.for(sides)("of the $asks by a Pong of the $answers with its payload", ({ asks, answers, direction }) => {
    const { up, down } = pair();
    const [asked, answering] = direction === "down" ? [down, up] : [up, down];
    expect(asked.hasUnansweredPing).toBe(false);
    asked.track(ping("there?", asks));
    expect([asked.hasUnansweredPing, answering.hasUnansweredPing]).toEqual([true, false]);
    answering.track(pong("here", answers));
    expect(asked.hasUnansweredPing).toBe(true);
    answering.track(pong("there?", answers));
    expect(asked.hasUnansweredPing).toBe(false);
  });

  test("with an empty payload too", () => {
    const { up, down } = pair();
    down.track(ping(""));
    expect(down.hasUnansweredPing).toBe(true);
    up.track(pong(""));
    expect(down.hasUnansweredPing).toBe(false);
  });

  test("never by a Pong that passed before it", () => {
    const { up, down } = pair();
    up.track(pong("same"));
    down.track(ping("same"));
    expect(down.hasUnansweredPing).toBe(true);
    up.track(pong("same"));
    expect(down.hasUnansweredPing).toBe(false);
    down.track(ping("same"));
    expect(down.hasUnansweredPing).toBe(true);
  });

  test("never by a Pong of its own direction, nor by a Ping that comes back", () => {
    const { up, down } = pair();
    down.track(Buffer.concat([ping("same"), pong("same", "backend")]));
    up.track(ping("same", "client"));
    expect([down.hasUnansweredPing, up.hasUnansweredPing]).toEqual([true, true]);
  });

  test("and of several only the latest need be: the answer to an earlier one is not enough", () => {
    const { up, down } = pair();
    down.track(Buffer.concat([ping("one"), ping("two"), ping("three")]));
    up.track(Buffer.concat([pong("one"), pong("two")]));
    expect(down.hasUnansweredPing).toBe(true);
    up.track(pong("three"));
    expect(down.hasUnansweredPing).toBe(false);
    up.track(pong("two"));
    expect(down.hasUnansweredPing).toBe(false);
  });

  test("when its answer has passed whole, and is asked when it has passed whole, byte by byte", () => {
    const { up, down } = pair();
    const asking: boolean[] = [];
    for (const byte of ping("there?")) {
      down.track(Uint8Array.of(byte));
      asking.push(down.hasUnansweredPing);
    }
    expect([asking.indexOf(true), asking.length]).toEqual([asking.length - 1, 8]);
    const answering: boolean[] = [];
    for (const byte of pong("there?")) {
      up.track(Uint8Array.of(byte));
      answering.push(down.hasUnansweredPing);
    }
    expect([answering.indexOf(false), answering.length]).toEqual([answering.length - 1, 12]);
  });

  test("between the fragments of messages, of both directions", () => {
    const { up, down } = pair();
    const [open, end] = [{ isFinal: false, payload: [9, 9] } as const, { opcode: 0, payload: [9, 9] } as const];
    down.track(Buffer.concat([frame(open, "backend"), ping("now"), frame(end, "backend")]));
    up.track(Buffer.concat([frame(open, "client"), pong("now")]));
    expect(down.hasUnansweredPing).toBe(false);
  });

  test("by nobody where no other direction is known, and not behind a lost framing", () => {
    const alone = new FrameTracker("backend", 0);
    alone.track(Buffer.concat([ping("x"), pong("x", "backend")]));
    expect(alone.hasUnansweredPing).toBe(true);
    const { up, down } = pair();
    down.track(ping("x"));
    up.track(Buffer.concat([frame({ opcode: 3 }, "client"), pong("x")]));
    expect(down.hasUnansweredPing).toBe(true);
  });

  test("as the plain reading of both streams says, however they are cut and mixed", () => {
    const texts = fc.constantFrom("", "a", "b", "a longer payload");
    const moves = fc.array(fc.tuple(senders, fc.constantFrom(2, 9, 9, 10, 10), texts), { maxLength: 20 });
    fc.assert(
      fc.property(moves, chunkSizes, (all, sizes) => {
        const { up, down } = pair();
        const last: Record<From, string | undefined> = { client: undefined, backend: undefined };
        for (const [from, opcode, text] of all) {
          for (const chunk of chunked(control(from, opcode, text), sizes)) (from === "client" ? up : down).track(chunk);
          const peer = from === "client" ? "backend" : "client";
          if (opcode === 9) last[from] = text;
          if (opcode === 10 && last[peer] === text) last[peer] = undefined;
          const unanswered = [up.hasUnansweredPing, down.hasUnansweredPing];
          expect(unanswered).toEqual([last.client !== undefined, last.backend !== undefined]);
        }
      }),
      { numRuns: 300 },
    );
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
