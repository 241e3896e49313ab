import fc from "fast-check";
import { expect, test } from "vitest";
import { Lines } from "./lines.ts";
import { ApiError } from "./types.ts";

function linesOf(bytes: Buffer, cuts: readonly number[]): readonly string[] {
  const lines = new Lines(1000);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const ends = [...places, bytes.length];
  return ends.flatMap((end, index) => lines.take(bytes.subarray(ends[index - 1] ?? 0, end)));
}

test("the same lines come out however the bytes are cut, within characters too", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\n"));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      expect(linesOf(bytes, cuts)).toEqual(lines.filter((each) => each !== ""));
    }),
  );
});

test("a line that has not ended is kept back", () => {
  const lines = new Lines(1000);
  expect(lines.take(Buffer.from("one\ntw"))).toEqual(["one"]);
  expect(lines.take(Buffer.from("o\n"))).toEqual(["two"]);
});

test("a line that grows beyond the bound is an error before it ends", () => {
  const lines = new Lines(10);
  expect(lines.take(Buffer.from("1234567890\n"))).toEqual(["1234567890"]);
  lines.take(Buffer.from("123456"));
  expect(() => lines.take(Buffer.from("78901"))).toThrow(ApiError);
});
