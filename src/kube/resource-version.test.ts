import fc from "fast-check";
import { expect, test } from "vitest";
import { compareVersions } from "./resource-version.ts";

test("versions are ordered as numbers of any length", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 140n }), fc.bigInt({ min: 0n, max: 2n ** 140n }), (a, b) => {
      const order = compareVersions(String(a), String(b));
      expect(Math.sign(order ?? Number.NaN)).toBe(a < b ? -1 : Number(a > b));
    }),
  );
});

test.for(["", "abc", "01", "-1", "1.5", "0x10", " 1", "1 "])("%j has no order", (version) => {
  expect(compareVersions(version, "1")).toBeUndefined();
  expect(compareVersions("1", version)).toBeUndefined();
});
