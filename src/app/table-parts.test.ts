import fc from "fast-check";
import { expect, test } from "vitest";
import type { CompiledEntry } from "../routing/index.ts";
import { tableParts } from "./table-parts.ts";

const hosts = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 5 }), fc.option(fc.nat({ max: 40 }))), {
  selector: ([pattern]) => pattern,
  maxLength: 40,
});

test("the parts put together are the delta, none exceeds the limits, none is empty", () => {
  fc.assert(
    fc.property(hosts, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), (list, maxHosts, maxEntries) => {
      let id = 0;
      const delta = new Map(
        list.map(([pattern, count]) => [
          pattern,
          count === null ? null : Array.from({ length: count }, () => ({ id: id++ }) as unknown as CompiledEntry),
        ]),
      );
      const joined = new Map<string, CompiledEntry[] | null>();
      let open: string | undefined;
      for (const part of tableParts(delta, { maxHosts, maxEntries })) {
        expect(part.length).toBeGreaterThan(0);
        expect(part.length).toBeLessThanOrEqual(maxHosts);
        expect(part.reduce((sum, { entries }) => sum + (entries?.length ?? 0), 0)).toBeLessThanOrEqual(maxEntries);
        for (const { pattern, entries, hasMore } of part) {
          if (open !== undefined) expect(pattern).toBe(open);
          const before = joined.get(pattern) ?? [];
          joined.set(pattern, entries === null ? null : [...before, ...entries]);
          open = hasMore ? pattern : undefined;
        }
      }
      expect(open).toBeUndefined();
      expect(joined).toEqual(delta);
    }),
  );
});
