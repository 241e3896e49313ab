import fc from "fast-check";
import { expect, test } from "vitest";
import { durationMs } from "./durations.ts";

test.for([
  { text: "0s", want: 0 },
  { text: "500ms", want: 500 },
  { text: "10s", want: 10_000 },
  { text: "1h30m", want: 5_400_000 },
  { text: "1m1ms", want: 60_001 },
  { text: "1ms1m", want: 60_001 },
  { text: "00010s", want: 10_000 },
  { text: "576h", want: 2_073_600_000 },
])("$text is $want ms", ({ text, want }) => {
  expect(durationMs(text)).toBe(want);
});

test.for(["", "10", "s", "1.5s", "-1s", "1d", "1h 2m", "123456s", "1h1m1s1ms1h"])("%j is not a duration", (text) => {
  expect(() => durationMs(text)).toThrow(TypeError);
});

test("parts add up, whatever their units and order", () => {
  const part = fc.record({ count: fc.nat(99_999), unit: fc.constantFrom("h", "m", "s", "ms") });
  const unitMs = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as Record<string, number>;
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const text = parts.map(({ count, unit }) => `${count}${unit}`).join("");
      expect(durationMs(text)).toBe(parts.reduce((sum, { count, unit }) => sum + count * unitMs[unit]!, 0));
    }),
  );
});

test("the longest duration of a route is one that a timer of Node can wait", () => {
  expect(durationMs("576h")).toBeLessThanOrEqual(2 ** 31 - 1);
});
