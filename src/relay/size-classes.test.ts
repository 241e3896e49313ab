import fc from "fast-check";
import { expect, test } from "vitest";
import { SizeClasses } from "./size-classes.ts";

function dividedBy(room: number, sizes: readonly number[]): { fit: number[]; rest: number[] } {
  const classes = new SizeClasses();
  // What an earlier use left behind is no matter.
  classes.add(12_345);
  classes.clear();
  for (const size of sizes) classes.add(size);
  classes.open(room);
  const fit = sizes.filter((size) => classes.fits(size));
  return { fit, rest: sizes.filter((size) => !fit.includes(size)) };
}

test("the small ones fit, of those of a like size as many as there is place for", () => {
  expect(dividedBy(260, [1, 300, 70, 100, 2, 80, 5_000])).toEqual({ fit: [1, 70, 100, 2, 80], rest: [300, 5_000] });
  expect(dividedBy(260, [100, 100, 100])).toEqual({ fit: [100, 100], rest: [] });
});

test("everything fits into a room without end, and nothing into none", () => {
  expect(dividedBy(Infinity, [1, 2 ** 45]).fit).toEqual([1, 2 ** 45]);
  expect(dividedBy(0, [1, 7]).fit).toEqual([]);
});

test("what fits is never more than the room, and nothing fits that is twice as big as what does not", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 1_000_000 })), fc.nat(5_000_000), (sizes, room) => {
      const { fit, rest } = dividedBy(room, sizes);
      expect(fit.reduce((total, size) => total + size, 0)).toBeLessThanOrEqual(room);
      if (rest.length > 0) expect(Math.max(0, ...fit)).toBeLessThan(2 * Math.min(...rest));
    }),
  );
});
