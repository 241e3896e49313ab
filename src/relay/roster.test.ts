import fc from "fast-check";
import { expect, test } from "vitest";
import { Roster } from "./index.ts";

const member = (name: number) => ({ name, rosterPlace: -1 });

test("after any additions and deletions it holds what a Set would hold", () => {
  const steps = fc.array(fc.record({ name: fc.nat(20), isAdded: fc.boolean() }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (taken) => {
      const all = Array.from({ length: 21 }, (_, name) => member(name));
      const roster = new Roster<(typeof all)[number]>();
      const expected = new Set<(typeof all)[number]>();
      for (const { name, isAdded } of taken) {
        const one = all[name]!;
        if (isAdded) roster.add(one);
        else roster.delete(one);
        if (isAdded) expected.add(one);
        else expected.delete(one);
      }
      expect(new Set(roster)).toEqual(expected);
      expect(roster.size).toBe(expected.size);
      for (const one of all) expect(roster.has(one)).toBe(expected.has(one));
    }),
  );
});

test("whoever walks it may delete each one, and sees each once", () => {
  const all = Array.from({ length: 100 }, (_, name) => member(name));
  const roster = new Roster<(typeof all)[number]>();
  for (const one of all) roster.add(one);
  const seen: number[] = [];
  for (const one of roster) {
    seen.push(one.name);
    roster.delete(one);
  }
  expect(seen.toSorted((a, b) => a - b)).toEqual(all.map(({ name }) => name));
  expect(roster.size).toBe(0);
});

test("one of another roster with the same place is not taken for its own", () => {
  const [a, b] = [member(1), member(2)];
  const [roster, other] = [new Roster<typeof a>(), new Roster<typeof a>()];
  roster.add(a);
  other.add(b);
  roster.delete(b);
  expect([roster.has(a), roster.has(b), other.has(b)]).toEqual([true, false, true]);
});
