import fc from "fast-check";
import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

test("a second's worth is free at once, and the next one has to be waited for", () => {
  const bucket = new TokenBucket(10, 5_000);
  expect(bucket.take(10, 5_000)).toBe(0);
  expect(bucket.take(1, 5_000)).toBe(100);
  expect(bucket.take(0, 5_099)).toBe(1);
  expect(bucket.take(0, 5_100)).toBe(0);
});

test("what is bigger than the burst is taken, and its debt is waited for", () => {
  const bucket = new TokenBucket(1_000, 0);
  expect(bucket.take(65_536, 0)).toBe(64_536);
  expect(bucket.take(1, 64_536)).toBe(1);
});

test("silence saves up a second's worth and no more", () => {
  const bucket = new TokenBucket(100, 0);
  bucket.take(100, 0);
  expect(bucket.take(100, 3_600_000)).toBe(0);
  expect(bucket.take(1, 3_600_000)).toBe(10);
});

test("a wait that is no whole number of milliseconds is rounded up", () => {
  const bucket = new TokenBucket(3, 0);
  bucket.take(3, 0);
  expect(bucket.take(1, 0)).toBe(334);
  expect(bucket.take(0, 333)).toBe(1);
  expect(bucket.take(0, 334)).toBe(0);
});

test("a clock that goes back gives nothing, and nothing twice when it goes on", () => {
  const bucket = new TokenBucket(10, 1_000);
  bucket.take(10, 1_000);
  expect(bucket.take(1, 500)).toBe(100);
  expect(bucket.take(0, 1_000)).toBe(100);
  expect(bucket.take(0, 1_100)).toBe(0);
});

test("who waits as told gets the rate exactly, however long it goes on", () => {
  const rates = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 1_000_000_000 }));
  const portions = fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(rates, portions, fc.integer({ min: 0, max: 2 ** 41 }), (rate, shares, startMs) => {
      const bucket = new TokenBucket(rate, startMs);
      const sizes = shares.map((share) => Math.ceil(share * rate) + 1);
      let nowMs = startMs;
      let taken = 0;
      for (let turn = 0; turn < 2_000; turn += 1) {
        // All that was taken before is earned by now: a full bucket, and the rate since.
        expect(taken).toBeLessThanOrEqual(rate + ((nowMs - startMs) * rate) / 1_000);
        const size = sizes[turn % sizes.length] ?? 1;
        const waitMs = bucket.take(size, nowMs);
        taken += size;
        expect(waitMs).toBe(Math.max(0, Math.ceil(((taken - rate) * 1_000 - (nowMs - startMs) * rate) / rate)));
        nowMs += waitMs;
      }
    }),
    { numRuns: 30 },
  );
});

test("who asks first takes what is there, and nothing where there is too little", () => {
  const bucket = new TokenBucket(10, 5_000);
  expect(bucket.tryTake(8, 5_000)).toBe(0);
  expect(bucket.tryTake(3, 5_000)).toBe(100);
  expect(bucket.tryTake(2, 5_000)).toBe(0);
  expect(bucket.tryTake(1, 5_000)).toBe(100);
  expect(bucket.tryTake(1, 5_099)).toBe(1);
  expect(bucket.tryTake(1, 5_100)).toBe(0);
  expect(bucket.tryTake(1, 5_100)).toBe(100);
});

test("who asks first waits for a debt of others as well", () => {
  const bucket = new TokenBucket(10, 0);
  bucket.take(15, 0);
  expect(bucket.tryTake(1, 0)).toBe(600);
  expect(bucket.tryTake(1, 600)).toBe(0);
});

test("who asks first gets no more than a second's worth after a silence, and nothing of a clock that goes back", () => {
  const bucket = new TokenBucket(3, 1_000);
  for (const nowMs of [1_000, 3_600_000]) {
    for (let index = 0; index < 3; index += 1) expect(bucket.tryTake(1, nowMs)).toBe(0);
    expect(bucket.tryTake(1, nowMs)).toBe(334);
  }
  expect(bucket.tryTake(1, 3_599_000)).toBe(334);
  expect(bucket.tryTake(1, 3_600_000)).toBe(334);
  expect(bucket.tryTake(1, 3_600_334)).toBe(0);
});

test("who asks when told gets it then and not a millisecond earlier, and never more than the rate", () => {
  const rates = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 100_000 }));
  const impatience = fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(rates, impatience, fc.integer({ min: 0, max: 2 ** 41 }), (rate, pauses, startMs) => {
      const bucket = new TokenBucket(rate, startMs);
      let nowMs = startMs;
      let taken = 0;
      for (let turn = 0; turn < 500; turn += 1) {
        const waitMs = bucket.tryTake(1, nowMs);
        if (waitMs === 0) taken += 1;
        else {
          expect(bucket.tryTake(1, nowMs + waitMs - 1)).toBe(1);
          expect(bucket.tryTake(1, nowMs + waitMs)).toBe(0);
          nowMs += waitMs;
          taken += 1;
        }
        expect(taken).toBeLessThanOrEqual(rate + ((nowMs - startMs) * rate) / 1_000);
        if (turn % 40 === 0) nowMs += pauses[turn % pauses.length] ?? 0;
      }
    }),
    { numRuns: 50 },
  );
});
