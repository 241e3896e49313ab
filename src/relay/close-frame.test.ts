import { expect, test } from "vitest";
import { encodeClose } from "./close-frame.ts";

const HIGH_KEY = 0xff_01_80_7f;

function unmask(frame: Uint8Array): Buffer {
  const key = frame.subarray(2, 6);
  return Buffer.from(frame.subarray(6).map((byte, i) => byte ^ (key[i % 4] ?? 0)));
}

test("a reason follows the code, in UTF-8", () => {
  const frame = Buffer.from(encodeClose(1012, undefined, "zu spät"));
  expect([frame[0], frame[1], frame.readUInt16BE(2), frame.subarray(4).toString()]).toEqual([
    0x88,
    10,
    1012,
    "zu spät",
  ]);
});

test("to a backend code and reason are masked, with every byte of the key", () => {
  const frame = encodeClose(4999, HIGH_KEY, "abcdefg");
  expect([frame[0], frame[1]]).toEqual([0x88, 0x80 | 9]);
  expect([...frame.subarray(2, 6)]).toEqual([0xff, 0x01, 0x80, 0x7f]);
  const payload = unmask(frame);
  expect([payload.readUInt16BE(0), payload.subarray(2).toString()]).toEqual([4999, "abcdefg"]);
});

test.for([
  { name: "a reason of 123 bytes fits", reason: "x".repeat(123), want: 125 },
  { name: "a longer one, which no control frame can carry, is left out", reason: "x".repeat(124), want: 2 },
  { name: "bytes count, not letters", reason: "ä".repeat(62), want: 2 },
])("$name", ({ reason, want }) => {
  expect(encodeClose(1012, undefined, reason)).toHaveLength(2 + want);
});
