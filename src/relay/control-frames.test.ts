import fc from "fast-check";
import { expect, test } from "vitest";
import { encodePing, readControlFrame } from "./control-frames.ts";
import { frame, senders } from "./frames.fixture.ts";
import { FrameTracker } from "./index.ts";

const payloads = fc.uint8Array({ maxLength: 125 });

test("the Ping of RFC 6455 5.7, and its masked Pong read back", () => {
  expect(Buffer.from(encodePing(Buffer.from("Hello"), undefined)).toString("hex")).toBe("890548656c6c6f");
  const pong = Buffer.from("8a8537fa213d7f9f4d5158", "hex");
  expect(readControlFrame(pong)).toEqual({ opcode: 10, payload: Uint8Array.from(Buffer.from("Hello")) });
});

test("a masked Ping has its key in network order", () => {
  expect([...encodePing(Uint8Array.of(0, 0, 0, 0, 1), 0xf00d_cafe)]).toEqual([
    0x89, 0x85, 0xf0, 0x0d, 0xca, 0xfe, 0xf0, 0x0d, 0xca, 0xfe, 0xf1,
  ]);
});

test("every Ping we write is lawful for its reader, and reads back as it was", () => {
  const keys = fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { nil: undefined });
  fc.assert(
    fc.property(payloads, keys, (payload, key) => {
      const ping = encodePing(payload, key);
      const tracker = new FrameTracker(key === undefined ? "backend" : "client", 0);
      tracker.track(ping);
      expect([tracker.pings, tracker.faults, tracker.isAtFrameBoundary]).toEqual([1, 0, true]);
      expect(readControlFrame(ping)).toEqual({ opcode: 9, payload });
    }),
  );
});

test("any control frame is read, and its payload is a copy", () => {
  fc.assert(
    fc.property(senders, fc.constantFrom(8, 9, 10), payloads, (from, opcode, payload) => {
      const bytes = frame({ opcode, payload }, from);
      const read = readControlFrame(bytes);
      bytes.fill(0);
      expect(read).toEqual({ opcode, payload });
    }),
  );
});

test("a Ping of 126 bytes is our own fault", () => {
  expect(() => encodePing(new Uint8Array(126), undefined)).toThrow(RangeError);
});
