import fc from "fast-check";
import { expect, test } from "vitest";
import type { CompiledEntry, TableDelta } from "../routing/index.ts";
import { diffHosts } from "./index.ts";

const entries = Array.from({ length: 4 }, (_, i) => ({ i }) as unknown as CompiledEntry);
type Hosts = ReadonlyMap<string, readonly CompiledEntry[]>;

function apply(before: Hosts, delta: TableDelta["hosts"]): Hosts {
  const after = new Map(before);
  for (const [host, list] of delta) {
    if (list === null) after.delete(host);
    else after.set(host, list);
  }
  return after;
}

const hosts = fc
  .dictionary(fc.constantFrom("a", "b", "*.c", "*"), fc.shuffledSubarray(entries))
  .map((all): Hosts => new Map(Object.entries(all)));

test("applied to what was before, the difference gives what is after, and names no host too many", () => {
  fc.assert(
    fc.property(hosts, hosts, (before, after) => {
      const delta = diffHosts(before, after);
      expect(apply(before, delta)).toEqual(after);
      for (const [host, list] of delta) expect(list).not.toEqual(before.get(host) ?? null);
    }),
  );
});

test("a host that is gone is null", () => {
  expect(diffHosts(new Map([["a", entries]]), new Map())).toEqual(new Map([["a", null]]));
});

test("another order is another list", () => {
  const turned = entries.toReversed();
  expect(diffHosts(new Map([["a", entries]]), new Map([["a", turned]]))).toEqual(new Map([["a", turned]]));
});

test("another list of the same entries is no difference", () => {
  expect(diffHosts(new Map([["a", entries]]), new Map([["a", [...entries]]])).size).toBe(0);
});

test("an entry that is equal but another object is a difference: its route was edited", () => {
  expect(diffHosts(new Map([["a", [entries[0]!]]]), new Map([["a", [{ ...entries[0]! }]]])).size).toBe(1);
});
