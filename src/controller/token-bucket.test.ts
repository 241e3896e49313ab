import { expect, test } from "vitest";
import { TokenBucket } from "./index.ts";

function bucketAt(clock: { nowMs: number }): { bucket: TokenBucket; takeAll: () => number } {
  const bucket = new TokenBucket({ burst: 3, perSecond: 2, now: () => clock.nowMs });
  const takeAll = (): number => {
    let taken = 0;
    while (bucket.take()) taken += 1;
    return taken;
  };
  return { bucket, takeAll };
}

test("a burst, and then a steady rate", () => {
  const clock = { nowMs: 5000 };
  const { bucket, takeAll } = bucketAt(clock);
  expect(takeAll()).toBe(3);
  expect(bucket.waitMs()).toBe(500);
  clock.nowMs += 499;
  expect(bucket.take()).toBe(false);
  clock.nowMs += 1;
  expect(takeAll()).toBe(1);
  clock.nowMs += 1000;
  expect(takeAll()).toBe(2);
});

test("a quiet time saves up no more than a burst", () => {
  const clock = { nowMs: 0 };
  const { bucket, takeAll } = bucketAt(clock);
  expect(bucket.isFull).toBe(true);
  takeAll();
  expect(bucket.isFull).toBe(false);
  clock.nowMs = 3_600_000;
  expect(bucket.isFull).toBe(true);
  expect(takeAll()).toBe(3);
});

test("whoever waits as long as it says gets a token, however odd the times", () => {
  const clock = { nowMs: 0.1 };
  const bucket = new TokenBucket({ burst: 1, perSecond: 3, now: () => clock.nowMs });
  for (let turn = 0; turn < 1000; turn += 1) {
    expect(bucket.take()).toBe(true);
    clock.nowMs += bucket.waitMs();
  }
});
