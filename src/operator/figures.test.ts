import { expect, test } from "vitest";
import { bytesInWords, counted, durationInWords } from "./figures.ts";

test.for<[number, string]>([
  [0, "0ms"],
  [850.4, "850ms"],
  [1_000, "1s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [185_000, "3m5s"],
  [3_599_999, "59m59s"],
  [7_800_000, "2h10m"],
  [86_400_000, "1d"],
  [97_200_000, "1d3h"],
  [-1_500, "-1s"],
])("%i ms reads %s", ([ms, words]) => {
  expect(durationInWords(ms)).toBe(words);
});

test.for<[number, string]>([
  [0, "0"],
  [1, "1"],
  [1_023, "1023"],
  [1_024, "1Ki"],
  [1_536, "1.5Ki"],
  [10_240, "10Ki"],
  [1_048_575, "1023Ki"],
  [1_048_576, "1Mi"],
  [5e12, "4.5Ti"],
  [2 ** 70, "1048576Pi"],
])("%i bytes read %s", ([bytes, words]) => {
  expect(bytesInWords(bytes)).toBe(words);
});

test("one is not many", () => {
  expect([0, 1, 2].map((count) => counted(count, "tunnel"))).toEqual(["0 tunnels", "1 tunnel", "2 tunnels"]);
});
