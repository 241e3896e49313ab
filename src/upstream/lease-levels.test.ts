import fc from "fast-check";
import { expect, test } from "vitest";
import { BackendState } from "./backend-state.ts";
import { LeaseLevels } from "./lease-levels.ts";
import { addressOf, CHAT, endpoint } from "./upstream.fixture.ts";

const BACKENDS = 6;

/** Leases and members of each level, from the lowest up; walked down again, it has to be the same chain. */
function chainOf(levels: LeaseLevels): readonly (readonly [number, readonly BackendState[]])[] {
  const chain: (readonly [number, readonly BackendState[]])[] = [];
  for (let level = levels.lowest; level !== undefined; level = level.higher) {
    if (level.higher !== undefined) expect(level.higher.lower).toBe(level);
    chain.push([level.leases, level.members]);
  }
  expect(levels.lowest?.lower).toBeUndefined();
  return chain;
}

test("after any raises, lowerings and new members each stands in the level of its leases, and no level is empty", () => {
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.record({ of: fc.nat(BACKENDS - 1), by: fc.constantFrom(1, 1, -1) }) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.nat(BACKENDS - 1)) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const all = Array.from({ length: BACKENDS }, (_, n) => new BackendState(CHAT, endpoint(addressOf(n)), 0));
      const levels = new LeaseLevels();
      let members: readonly BackendState[] = [];
      for (const now of steps) {
        if ("of" in now) {
          const backend = all[now.of]!;
          if (backend.leases + now.by < 0) continue;
          backend.tunnels += now.by;
          if (now.by > 0) levels.raised(backend);
          else levels.lowered(backend);
        } else {
          members = now.map((n) => all[n]!);
          levels.replace(members);
        }
        const want = [...Map.groupBy(members, ({ leases }) => leases)].toSorted(([a], [b]) => a - b);
        const chain = chainOf(levels);
        expect(chain.map(([leases, { length }]) => [leases, length])).toEqual(
          want.map(([leases, { length }]) => [leases, length]),
        );
        for (const [index, [, here]] of chain.entries()) expect(new Set(here)).toEqual(new Set(want[index]![1]));
        expect(levels.leases).toBe(members.reduce((sum, { leases }) => sum + leases, 0));
      }
    }),
  );
});
