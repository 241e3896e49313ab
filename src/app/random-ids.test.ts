import { expect, test } from "vitest";
import { randomIds } from "./random-ids.ts";

test("ids are 12 characters that can stand in a URL, and no two are the same over many fillings of the pool", () => {
  const next = randomIds();
  const ids = Array.from({ length: 5_000 }, next);
  expect(new Set(ids).size).toBe(5_000);
  for (const id of ids) expect(id).toMatch(/^[\w-]{12}$/);
});

test("two sources never give the same ids", () => {
  const a = randomIds();
  const b = randomIds();
  expect(Array.from({ length: 300 }, a)).not.toEqual(Array.from({ length: 300 }, b));
});
