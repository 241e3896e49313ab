import fc from "fast-check";
import { expect, test } from "vitest";
import type { AgePlace, Page } from "./operations.ts";
import { pageOf } from "./page.ts";
import { AGE_PLACE, byAge, compareNames, decodeCursor, encodeCursor, NAME_PLACE } from "./places.ts";

interface Aged {
  readonly id: string;
  readonly atMs: number;
}

const BY_AGE = byAge<Aged>(
  ({ atMs }) => atMs,
  ({ id }) => id,
);

function page(items: readonly Aged[], after: AgePlace | undefined, limit: number): Page<Aged, AgePlace> {
  return pageOf(items, BY_AGE, { after, limit });
}

const aged = fc.uniqueArray(fc.record({ id: fc.string({ maxLength: 3 }), atMs: fc.integer({ min: 0, max: 20 }) }), {
  selector: ({ id }) => id,
  maxLength: 60,
});

test("all pages one behind the other are the whole list in order, whatever the size of a page", () => {
  fc.assert(
    fc.property(aged, fc.integer({ min: 1, max: 8 }), (items, limit) => {
      const seen: Aged[] = [];
      let after: AgePlace | undefined;
      do {
        const { items: some, total, next } = page(items, after, limit);
        expect(total).toBe(items.length);
        expect(some.length).toBeLessThanOrEqual(limit);
        if (next !== undefined) expect(some).toHaveLength(limit);
        seen.push(...some);
        after = next;
      } while (after !== undefined);
      expect(seen).toEqual([...items].sort((a, b) => a.atMs - b.atMs || compareNames(a.id, b.id)));
    }),
  );
});

test("a list that changes between two pages: what stayed comes once, whatever came and went", () => {
  fc.assert(
    fc.property(aged, aged, fc.integer({ min: 1, max: 8 }), (before, later, limit) => {
      const first = page(before, undefined, limit);
      if (first.next === undefined) return;
      // Of one id there is one tunnel: what is there later under it is the same.
      const known = new Map(before.map((item) => [item.id, item]));
      const now = later.map((item) => known.get(item.id) ?? item);
      const rest = page(now, first.next, 100);
      const shown = [...first.items, ...rest.items].map(({ id }) => id);
      expect(new Set(shown).size).toBe(shown.length);
      for (const item of before) if (now.includes(item)) expect(shown).toContain(item.id);
    }),
  );
});

test("a cursor says the same place again, and what is none says nothing", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }), fc.string(), (atMs, id) => {
      expect(decodeCursor(AGE_PLACE, encodeCursor(AGE_PLACE, { atMs, id }))).toEqual({ atMs, id });
      expect(decodeCursor(NAME_PLACE, encodeCursor(NAME_PLACE, id))).toBe(id);
      expect(decodeCursor(NAME_PLACE, encodeCursor(AGE_PLACE, { atMs, id }))).toBeUndefined();
      expect(decodeCursor(AGE_PLACE, id)).toBeUndefined();
    }),
  );
});

test("names are in one order on every machine", () => {
  expect(["b", "a", "B", "ä", "a/1", "a"].sort(compareNames)).toEqual(["B", "a", "a", "a/1", "b", "ä"]);
});
