import { PassThrough, type Writable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as ws from "ws";
import type { FrameFault } from "./frame-faults.ts";
import { knownBy, reference } from "./frame-reference.fixture.ts";
import { FrameSieve, type SievePolicy } from "./frame-sieve.ts";
import {
  anything,
  chunked,
  chunkSizes,
  closePayload,
  frame,
  type FrameShape,
  type From,
  lawfulConversations,
  longHead,
  senders,
  streamOf,
} from "./frames.fixture.ts";
import { FrameTracker } from "./index.ts";
import { sieveAll } from "./sieve-run.fixture.ts";

const OFF: SievePolicy = { isStrict: false, maxMessageBytes: 0, maxFragments: 0 };
const STRICT: SievePolicy = { ...OFF, isStrict: true };

const isOpenEnded = (frames: readonly Partial<FrameShape>[]) => frames.every(({ opcode }) => opcode !== 8);

test("of a lawful stream everything passes, strict or not, and the tracker knows what one knows that saw it whole", () => {
  const policies = fc.constantFrom(OFF, STRICT, { isStrict: true, maxMessageBytes: 10_000_000, maxFragments: 100 });
  fc.assert(
    fc.property(lawfulConversations, senders, chunkSizes, policies, (frames, from, sizes, policy) => {
      const stream = streamOf(frames, from);
      const tracker = new FrameTracker(from, 0);
      const sieve = new FrameSieve(tracker, policy);
      const run = sieveAll(sieve, chunked(stream, sizes));
      expect(run.passed.equals(stream)).toBe(true);
      expect([run.stoppedBy, sieve.heldBytes]).toEqual([undefined, 0]);
      expect(knownBy(tracker)).toEqual(reference(stream, from, 0));
    }),
    { numRuns: 200 },
  );
});

test("of any frames at all, cut off anywhere, everything passes or is held where faults are only observed", () => {
  const streams = fc.tuple(fc.array(anything, { maxLength: 6 }), senders, fc.nat());
  fc.assert(
    fc.property(streams, senders, chunkSizes, ([frames, masks, end], from, sizes) => {
      const whole = streamOf(frames, masks);
      const stream = whole.subarray(0, end % (whole.length + 1));
      const tracker = new FrameTracker(from, 0);
      const sieve = new FrameSieve(tracker, OFF);
      const run = sieveAll(sieve, chunked(stream, sizes));
      const held = sieve.release();
      expect(Buffer.concat([run.passed, held]).equals(stream)).toBe(true);
      tracker.track(held);
      expect(knownBy(tracker)).toEqual(reference(stream, from, 0));
    }),
    { numRuns: 200 },
  );
});

test("of bytes without sense everything passes or is held where faults are only observed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), senders, chunkSizes, (bytes, from, sizes) => {
      const tracker = new FrameTracker(from, 0);
      const sieve = new FrameSieve(tracker, OFF);
      const run = sieveAll(sieve, chunked(bytes, sizes));
      const held = sieve.release();
      expect(Buffer.concat([run.passed, held]).equals(bytes)).toBe(true);
      tracker.track(held);
      expect(knownBy(tracker)).toEqual(reference(Buffer.from(bytes), from, 0));
    }),
    { numRuns: 2_000 },
  );
});

interface Planted {
  readonly fault: FrameFault;
  readonly of: (from: From, isInMessage: boolean) => Buffer;
}

const other = (from: From) => (from === "client" ? "backend" : "client");
const data = (isInMessage: boolean) => (isInMessage ? 0 : 2);
const plants = fc.constantFrom<Planted>(
  { fault: "reserved_bits", of: (from, isIn) => frame({ opcode: data(isIn), reserved: 2, payload: [300, 1] }, from) },
  { fault: "reserved_opcode", of: (from) => frame({ opcode: 11, payload: [20, 1] }, from) },
  { fault: "bad_control", of: (from) => frame({ opcode: 10, payload: [126, 1] }, from) },
  { fault: "bad_mask", of: (from, isIn) => frame({ opcode: data(isIn), payload: [6, 1] }, other(from)) },
  { fault: "bad_length", of: (from, isIn) => frame({ opcode: data(isIn), payload: [6, 1], lengthBytes: 8 }, from) },
  {
    fault: "bad_length",
    of: (from, isIn) => {
      const head = longHead(0x8000_0000, 0, from);
      head[0] = data(isIn);
      return head;
    },
  },
  { fault: "bad_continuation", of: (from, isIn) => frame({ opcode: isIn ? 1 : 0, payload: [6, 1] }, from) },
  { fault: "bad_close", of: (from) => frame({ opcode: 8, payload: closePayload(1006) }, from) },
);

test("of a stream with a fault in it everything before that frame passes and nothing from it on, where rules are enforced", () => {
  const opened = fc.tuple(lawfulConversations.filter(isOpenEnded), fc.nat(), plants);
  fc.assert(
    fc.property(opened, lawfulConversations, senders, chunkSizes, ([frames, at, plant], behind, from, sizes) => {
      const before = streamOf(frames.slice(0, at % (frames.length + 1)), from);
      const isInMessage = !reference(before, from, 0).isAtMessageBoundary;
      const rest = Buffer.concat([plant.of(from, isInMessage), streamOf(behind, from)]);
      const tracker = new FrameTracker(from, 0);
      const run = sieveAll(new FrameSieve(tracker, STRICT), chunked(Buffer.concat([before, rest]), sizes));
      expect(run.stoppedBy).toBe(plant.fault);
      expect(run.passed.equals(before)).toBe(true);
      expect(run.rest.equals(rest)).toBe(true);
      expect(knownBy(tracker)).toEqual(reference(before, from, 0));
    }),
    { numRuns: 300 },
  );
});

/** Where in a conversation a limit is broken, by the plain sums. */
function overAt(frames: readonly Partial<FrameShape>[], { maxMessageBytes, maxFragments }: SievePolicy): number {
  let [bytes, fragments] = [0, 0];
  for (const [index, { opcode = 2, payload = [0, 0], isFinal = true }] of frames.entries()) {
    if (opcode === 8) break;
    if (opcode > 2) continue;
    bytes += payload instanceof Uint8Array ? payload.length : payload[0];
    fragments += 1;
    if ((maxMessageBytes > 0 && bytes > maxMessageBytes) || (maxFragments > 0 && fragments > maxFragments))
      return index;
    if (isFinal) [bytes, fragments] = [0, 0];
  }
  return frames.length;
}

test("under limits everything before the first frame that is too much passes and nothing from it on", () => {
  const policies = fc.record({
    isStrict: fc.boolean(),
    maxMessageBytes: fc.oneof(fc.constantFrom(0, 125, 126, 65_536), fc.integer({ min: 0, max: 300 })),
    maxFragments: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(lawfulConversations, senders, chunkSizes, policies, (frames, from, sizes, policy) => {
      const stream = streamOf(frames, from);
      const limit = overAt(frames, policy);
      const before = streamOf(frames.slice(0, limit), from);
      const run = sieveAll(new FrameSieve(new FrameTracker(from, 0), policy), chunked(stream, sizes));
      expect(run.passed.equals(before)).toBe(true);
      expect(run.stoppedBy !== undefined).toBe(limit < frames.length);
    }),
    { numRuns: 300 },
  );
});

test("a sieve may take over anywhere", () => {
  fc.assert(
    fc.property(lawfulConversations, senders, chunkSizes, fc.nat(), (frames, from, sizes, n) => {
      const stream = streamOf(frames, from);
      const at = n % (stream.length + 1);
      const tracker = new FrameTracker(from, 0);
      tracker.track(stream.subarray(0, at));
      const run = sieveAll(new FrameSieve(tracker, STRICT), chunked(stream.subarray(at), sizes));
      expect(run.passed.equals(stream.subarray(at))).toBe(true);
      expect(knownBy(tracker)).toEqual(reference(stream, from, 0));
    }),
    { numRuns: 200 },
  );
});

test("messages wait for their time at their boundaries, and all goes on in order, however it is cut", () => {
  const rations = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(lawfulConversations, senders, chunkSizes, rations, (frames, from, sizes, portions) => {
      const stream = streamOf(frames, from);
      const tracker = new FrameTracker(from, 0);
      const sieve = new FrameSieve(tracker, STRICT);
      let [left, begun, turn] = [0, 0, 0];
      sieve.mayBegin = () => {
        left -= 1;
        if (left >= 0) begun += 1;
        return left >= 0;
      };
      let passed = Buffer.alloc(0);
      for (let rest: Buffer = stream; ; turn += 1) {
        const run = sieveAll(sieve, chunked(rest, sizes));
        passed = Buffer.concat([passed, run.passed]);
        if (run.stoppedBy === undefined) break;
        rest = run.rest;
        expect(run.stoppedBy).toBe("wait");
        expect(turn).toBeLessThanOrEqual(frames.length);
        expect(Buffer.concat([passed, rest]).equals(stream)).toBe(true);
        expect(knownBy(tracker)).toEqual(reference(passed, from, 0));
        expect(tracker.isAtMessageBoundary).toBe(true);
        left = portions[turn % portions.length] ?? 1;
      }
      expect(passed.equals(stream)).toBe(true);
      expect(begun).toBe(tracker.messages);
    }),
    { numRuns: 300 },
  );
});

// What `ws` exports beside what its types tell of.
interface WsParts {
  readonly Receiver: new (options: { readonly isServer: boolean; readonly extensions: object }) => Writable;
  readonly Sender: new (
    socket: PassThrough,
    extensions: object,
  ) => {
    send(data: Buffer | string, options: { binary: boolean; fin: boolean; mask: boolean; compress: boolean }): void;
    ping(data: Buffer, mask: boolean): void;
    pong(data: Buffer, mask: boolean): void;
    close(code: number, reason: string, mask: boolean): void;
  };
}
const { Receiver, Sender } = ws as unknown as WsParts;

/** Whether the receiver of `ws` fails the connection. */
async function isRefusedByWs(stream: Buffer, from: From): Promise<boolean> {
  const receiver = new Receiver({ isServer: from === "client", extensions: {} });
  receiver.on("error", () => {});
  return await new Promise((resolve) => {
    receiver.on("conclude", () => resolve(false));
    receiver.write(stream, (error) => resolve(error !== null && error !== undefined));
  });
}

test("strict, it stops where the receiver of `ws` refuses a frame, which lets long forms of lengths be", async () => {
  // Text would have to be UTF-8, which a relay does not look at.
  const frames = fc.array(
    anything.map((one) => ({ ...one, opcode: one.opcode === 1 ? 2 : one.opcode!, lengthBytes: undefined })),
    { maxLength: 4 },
  );
  const faulty = fc.oneof(
    frames,
    frames.map((all) => all.map((one) => ({ ...one, reserved: 0, opcode: one.opcode % 3 ? 2 : 8 + (one.opcode % 2) }))),
  );
  await fc.assert(
    fc.asyncProperty(faulty, senders, fc.boolean(), chunkSizes, async (all, from, isForeign, sizes) => {
      const stream = streamOf(all, isForeign ? other(from) : from);
      const run = sieveAll(new FrameSieve(new FrameTracker(from, 0), STRICT), chunked(stream, sizes));
      expect(run.stoppedBy !== undefined).toBe(stream.length > 0 && (await isRefusedByWs(stream, from)));
    }),
    { numRuns: 1_000 },
  );
});

test("what the sender of `ws` writes passes whole, with its messages, Pings and Close counted", () => {
  for (const from of ["client", "backend"] as const) {
    const mask = from === "client";
    const written = new PassThrough({ highWaterMark: 2 ** 20 });
    const sender = new Sender(written, {});
    const part = { binary: true, mask, compress: false };
    for (const size of [0, 1, 125, 126, 65_535, 65_536]) sender.send(Buffer.alloc(size, 7), { ...part, fin: true });
    sender.send("half a ", { ...part, binary: false, fin: false });
    sender.ping(Buffer.from("still there?"), mask);
    sender.send("message", { ...part, binary: false, fin: true });
    sender.pong(Buffer.alloc(125, 1), mask);
    sender.close(4001, "gone fishing", mask);
    const stream = written.read() as Buffer;
    for (const size of [1, 3, 1_000, stream.length]) {
      const tracker = new FrameTracker(from, 0);
      const run = sieveAll(new FrameSieve(tracker, STRICT), chunked(stream, [size]));
      expect(run.passed.equals(stream)).toBe(true);
      expect(run.controls.map(({ opcode }) => opcode)).toEqual([9, 10, 8]);
      expect(Buffer.from(run.controls[0]!.payload).toString()).toBe("still there?");
      expect(knownBy(tracker)).toMatchObject({ messages: 7, pings: 1, pongs: 1, closeCode: 4001, faults: 0 });
    }
  }
});
