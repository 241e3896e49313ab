import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BackendState } from "./backend-state.ts";
import { hash32 } from "../routing/index.ts";
import { HashRing } from "./hash-ring.ts";
import { addressOf, CHAT, endpoint } from "./upstream.fixture.ts";

const BACKENDS = Array.from({ length: 12 }, (_, n) => new BackendState(CHAT, endpoint(addressOf(n)), 0));

function ringOf(backends: readonly BackendState[]): HashRing {
  const ring = new HashRing();
  ring.replace(backends);
  return ring;
}

function ownersOf(ring: HashRing): readonly (string | undefined)[] {
  return Array.from({ length: ring.size }, (_, place) => ring.ownerAt(place)?.backend.address);
}

describe("a ring", () => {
  test("is, after any changes, as if it had been made of the last list alone, with nothing left of the others", () => {
    const lists = fc.array(fc.shuffledSubarray(BACKENDS), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lists, (changes) => {
        const ring = new HashRing();
        for (const list of changes) ring.replace(list);
        const last = changes.at(-1) ?? [];
        expect(ring.size).toBe(last.length * 128);
        expect(ownersOf(ring)).toEqual(
          ownersOf(ringOf(last.toSorted((a, b) => BACKENDS.indexOf(a) - BACKENDS.indexOf(b)))),
        );
      }),
      { numRuns: 60 },
    );
  });

  test("goes on behind its last point from its first", () => {
    const ring = ringOf(BACKENDS);
    const owners = ownersOf(ring);
    for (let place = 0; place < ring.size; place++)
      expect(ring.ownerAt(ring.size + place)?.backend.address).toBe(owners[place]);
  });

  test("has the place of a key among its points by the key's hash", () => {
    const ring = ringOf(BACKENDS);
    const keys = Array.from({ length: 3_000 }, (_, n) => `k${n}`).toSorted((a, b) => hash32(a) - hash32(b));
    const places = keys.map((key) => ring.placeOf(key));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeLessThan(10);
    expect(places.at(-1)).toBeGreaterThan(ring.size - 10);
  });

  test("of nobody has no owners", () => {
    expect(ringOf([]).ownerAt(ringOf([]).placeOf("a"))).toBeUndefined();
  });
});

test("short texts that are alike get hashes that are evenly spread", () => {
  for (const prefix of ["", "user-", "10.0.0.", "0000000000000000000"]) {
    const boxes = new Uint32Array(256);
    for (let n = 0; n < 25_600; n++) boxes[hash32(`${prefix}${n}`) >>> 24]!++;
    // Chi-square with 255 degrees of freedom: 255 on average, deviation 23.
    const chiSquare = boxes.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
    expect(chiSquare).toBeGreaterThan(255 - 6 * 23);
    expect(chiSquare).toBeLessThan(255 + 6 * 23);
  }
});
