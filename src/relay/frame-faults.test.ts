import { describe, expect, test } from "vitest";
import type { FrameFault } from "./frame-faults.ts";
import { FrameSieve } from "./frame-sieve.ts";
import { chunked, closePayload, frame, type FrameShape, type From, longHead } from "./frames.fixture.ts";
import { FrameTracker } from "./index.ts";
import { sieveAll } from "./sieve-run.fixture.ts";

interface Case {
  readonly name: string;
  /** Lawful, in front of the fault. */
  readonly before?: readonly Partial<FrameShape>[];
  readonly faulty: Partial<FrameShape> | ((from: From) => Buffer);
  /** What of it breaks the rules is told. */
  readonly fault: FrameFault;
  readonly keepsFraming?: boolean;
  /** Bits that extensions own; none unless said. */
  readonly owned?: number;
}

const OTHER = { client: "backend", backend: "client" } as const;
const PING_126 = (from: From) => frame({ opcode: 9, payload: [126, 0] }, from);
const text = (value: string) => Buffer.from(value);
const close = (payload: Uint8Array) => ({ opcode: 8, payload });
const FIRST = { opcode: 1, isFinal: false, payload: [3, 97] } as const;

const CASES: readonly Case[] = [
  { name: "RSV1 and no extension", faulty: { reserved: 4 }, fault: "reserved_bits", keepsFraming: true },
  {
    name: "RSV2 and no extension",
    faulty: { reserved: 2, payload: [200, 1] },
    fault: "reserved_bits",
    keepsFraming: true,
  },
  { name: "RSV3 and no extension", faulty: { reserved: 1 }, fault: "reserved_bits", keepsFraming: true },
  {
    name: "RSV1 on a Ping and no extension",
    faulty: { opcode: 9, reserved: 4 },
    fault: "reserved_bits",
    keepsFraming: true,
  },
  {
    name: "RSV2 with permessage-deflate",
    owned: 0x40,
    faulty: { reserved: 2 },
    fault: "reserved_bits",
    keepsFraming: true,
  },
  {
    name: "RSV1 on a Pong with permessage-deflate",
    owned: 0x40,
    faulty: { opcode: 10, reserved: 4 },
    fault: "reserved_bits",
    keepsFraming: true,
  },
  {
    name: "RSV1 on a continuation with permessage-deflate",
    owned: 0x40,
    before: [{ ...FIRST, reserved: 4 }],
    faulty: { opcode: 0, reserved: 4 },
    fault: "reserved_bits",
    keepsFraming: true,
  },
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Case => ({ name: `opcode ${opcode}`, faulty: { opcode }, fault: "reserved_opcode" }),
  ),
  ...[8, 9, 10].map(
    (opcode): Case => ({ name: `half of opcode ${opcode}`, faulty: { opcode, isFinal: false }, fault: "bad_control" }),
  ),
  { name: "a Ping of 126 bytes", faulty: PING_126, fault: "bad_control" },
  {
    name: "a Pong whose 5 bytes are told in two",
    faulty: { opcode: 10, payload: [5, 1], lengthBytes: 2 },
    fault: "bad_control",
  },
  { name: "a Close of 65,536 bytes", faulty: { opcode: 8, payload: [65_536, 1] }, fault: "bad_control" },
  { name: "the other side's masking", faulty: (from) => frame({ payload: [4, 1] }, OTHER[from]), fault: "bad_mask" },
  {
    name: "the other side's masking of an empty Ping",
    faulty: (from) => frame({ opcode: 9 }, OTHER[from]),
    fault: "bad_mask",
  },
  {
    name: "125 bytes told in two",
    faulty: { payload: [125, 1], lengthBytes: 2 },
    fault: "bad_length",
    keepsFraming: true,
  },
  { name: "0 bytes told in eight", faulty: { lengthBytes: 8 }, fault: "bad_length", keepsFraming: true },
  {
    name: "65,535 bytes told in eight",
    faulty: { payload: [65_535, 1], lengthBytes: 8 },
    fault: "bad_length",
    keepsFraming: true,
  },
  { name: "a length with the top bit", faulty: (from) => longHead(0x8000_0000, 7, from), fault: "bad_length" },
  { name: "a length of 2^53", faulty: (from) => longHead(2 ** 21, 0, from), fault: "bad_length" },
  { name: "a continuation of nothing", faulty: { opcode: 0 }, fault: "bad_continuation" },
  {
    name: "the last continuation of a message that is over",
    before: [FIRST, { opcode: 0 }],
    faulty: { opcode: 0, isFinal: false },
    fault: "bad_continuation",
  },
  { name: "a text inside a fragmented message", before: [FIRST], faulty: { opcode: 1 }, fault: "bad_continuation" },
  {
    name: "a binary inside one, behind a Ping",
    before: [FIRST, { opcode: 9 }],
    faulty: { opcode: 2 },
    fault: "bad_continuation",
  },
  { name: "a Close of one byte", faulty: close(Uint8Array.of(3)), fault: "bad_close", keepsFraming: true },
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535].map(
    (code): Case => ({
      name: `a Close with ${code}`,
      faulty: close(closePayload(code)),
      fault: "bad_close",
      keepsFraming: true,
    }),
  ),
  ...[
    { name: "a lone continuation byte", reason: Uint8Array.of(0x80) },
    { name: "a cut sequence", reason: Uint8Array.of(0x61, 0xe2, 0x82) },
    { name: "an overlong form", reason: Uint8Array.of(0xc0, 0xaf) },
    { name: "a surrogate", reason: Uint8Array.of(0xed, 0xa0, 0x80) },
    { name: "a point above U+10FFFF", reason: Uint8Array.of(0xf4, 0x90, 0x80, 0x80) },
  ].map(
    ({ name, reason }): Case => ({
      name: `a Close whose reason has ${name}`,
      faulty: close(closePayload(1000, reason)),
      fault: "bad_close",
      keepsFraming: true,
    }),
  ),
];

const everyWay = CASES.flatMap((one) =>
  (["client", "backend"] as const).flatMap((from) =>
    (["whole", "byte by byte"] as const).map((cut) => ({
      ...one,
      from,
      cut,
      title: `${one.name}, from a ${from}, ${cut}`,
    })),
  ),
);

function streamOf({ before = [], faulty }: Case, from: From): { lawful: Buffer; bad: Buffer } {
  const lawful = Buffer.concat([{ payload: [130, 7] } as const, ...before].map((one) => frame(one, from)));
  return { lawful, bad: typeof faulty === "function" ? faulty(from) : frame(faulty, from) };
}

/** Some chunks, or one for each byte. */
function pieces(bytes: Buffer, cut: string): Uint8Array[] {
  return chunked(bytes, [cut === "whole" ? bytes.length : 1]);
}

describe.for(everyWay)("$title", (one) => {
  const { from, cut, fault, keepsFraming = false, owned = 0 } = one;
  const { lawful, bad } = streamOf(one, from);
  const stream = Buffer.concat([lawful, bad]);

  test(`is counted once as ${fault}, and ${keepsFraming ? "tracking goes on" : "the framing is lost"}`, () => {
    const tracker = new FrameTracker(from, owned);
    for (const chunk of pieces(stream, cut)) tracker.track(chunk);
    expect([tracker.faults, tracker.fault, tracker.isOpaque]).toEqual([1, fault, !keepsFraming]);
    expect(tracker.isAtFrameBoundary).toBe(keepsFraming);
  });

  test("passes whole where it is only observed, and the tracker is told the same", () => {
    const tracker = new FrameTracker(from, owned);
    const sieve = new FrameSieve(tracker, { isStrict: false, maxMessageBytes: 0, maxFragments: 0 });
    const tail = keepsFraming ? Buffer.alloc(0) : Buffer.from([0x82, 0x01, 0x61]);
    const run = sieveAll(sieve, pieces(Buffer.concat([stream, tail]), cut));
    expect(run.passed.equals(Buffer.concat([stream, tail]))).toBe(true);
    expect([run.stoppedBy, sieve.heldBytes]).toEqual([undefined, 0]);
    expect([tracker.faults, tracker.fault, tracker.isOpaque]).toEqual([1, fault, !keepsFraming]);
  });

  test("does not pass by one byte where rules are enforced, and a Close can be written in its place", () => {
    const tracker = new FrameTracker(from, owned);
    const sieve = new FrameSieve(tracker, { isStrict: true, maxMessageBytes: 0, maxFragments: 0 });
    const run = sieveAll(sieve, pieces(stream, cut));
    expect(run.stoppedBy).toBe(fault);
    expect(run.passed.equals(lawful)).toBe(true);
    expect(run.rest.equals(bad)).toBe(true);
    expect([tracker.isAtFrameBoundary, tracker.isOpaque, tracker.faults]).toEqual([true, false, 0]);
  });
});

test.for([
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map((code) => ({
    name: `the code ${code}`,
    payload: closePayload(code),
  })),
  { name: "no payload", payload: new Uint8Array(0) },
  { name: "a reason of 123 bytes", payload: closePayload(1000, text("x".repeat(123))) },
  { name: "a reason of four-byte characters", payload: closePayload(4000, text("👋🏽 до свидания €")) },
  { name: "a reason that begins with U+FEFF", payload: closePayload(1000, text("\uFEFF")) },
])("a Close with $name is lawful", ({ payload }) => {
  for (const from of ["client", "backend"] as const) {
    const tracker = new FrameTracker(from, 0);
    for (const byte of frame(close(payload), from)) tracker.track(Uint8Array.of(byte));
    expect([tracker.hasClose, tracker.faults]).toEqual([true, 0]);
  }
});

test.for([
  { name: "RSV1 on the first frame of a message, with permessage-deflate", owned: 0x40, shape: { reserved: 4 } },
  { name: "any bit on any frame, with an extension nobody knows", owned: 0x70, shape: { opcode: 9, reserved: 7 } },
  { name: "125 bytes told in one", owned: 0, shape: { payload: [125, 0] as const } },
  { name: "126 bytes told in two", owned: 0, shape: { payload: [126, 0] as const } },
  { name: "65,536 bytes told in eight", owned: 0, shape: { payload: [65_536, 0] as const } },
  { name: "a Ping of 125 bytes", owned: 0, shape: { opcode: 9, payload: [125, 0] as const } },
])("$name is lawful", ({ owned, shape }) => {
  for (const from of ["client", "backend"] as const) {
    const tracker = new FrameTracker(from, owned);
    tracker.track(frame(shape, from));
    expect([tracker.isAtMessageBoundary, tracker.faults]).toEqual([true, 0]);
  }
});

test("several faults are counted each, what loses the framing last, and the first is kept", () => {
  const tracker = new FrameTracker("client", 0);
  tracker.track(frame({ reserved: 2, payload: [9, 0], lengthBytes: 8 }, "client"));
  expect([tracker.faults, tracker.fault]).toEqual([2, "reserved_bits"]);
  tracker.track(frame({ opcode: 3, reserved: 1 }, "client"));
  expect([tracker.faults, tracker.fault, tracker.isOpaque]).toEqual([3, "reserved_bits", true]);
});
