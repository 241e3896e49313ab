import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InStep } from "./in-step.ts";
import { SeenList } from "./seen-list.ts";

const NAMES = Array.from({ length: 12 }, (_, i) => `apps/r${i}`);
const someNames = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 12 });

test("entries that are looked up in step are those of the Map, in whatever order they are asked for", () => {
  fc.assert(
    fc.property(someNames, fc.oneof(someNames, fc.array(fc.constantFrom(...NAMES))), (names, asked) => {
      const map = new Map(names.map((name) => [name, `${name} of the map`]));
      const inStep = new InStep(map);
      for (const name of asked) expect(inStep.get(name)).toBe(map.get(name));
    }),
  );
});

describe("a list that was seen", () => {
  test("differs by the names that came, went or have another object, and a second look finds nothing", () => {
    const aList = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 2 })));
    fc.assert(
      fc.property(fc.array(aList), (lists) => {
        const seen = new SeenList();
        let before = new Map<string, number>();
        for (const list of lists.map((entries) => new Map(entries))) {
          const names = new Set([...before.keys(), ...list.keys()]);
          const changed = [...names].filter((name) => before.get(name) !== list.get(name));
          expect(seen.look(list)).toEqual(new Set(changed));
          expect(seen.look(new Map([...list].toReversed()))).toEqual(new Set());
          before = list;
        }
      }),
    );
  });
});
