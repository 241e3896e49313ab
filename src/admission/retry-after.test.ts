import { describe, expect, test } from "vitest";
import { seeded } from "../upstream/upstream.fixture.ts";
import { Appointments, spread } from "./retry-after.ts";

test("a spread has every whole second of it, about as often as each other", () => {
  const random = seeded(7);
  const seen = new Map<number, number>();
  for (let i = 0; i < 11_000; i++) {
    const seconds = spread(5, 15, random);
    seen.set(seconds, (seen.get(seconds) ?? 0) + 1);
  }
  expect([...seen.keys()].sort((a, b) => a - b)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  for (const times of seen.values()) expect(times).toBeGreaterThan(800);
});

describe("appointments", () => {
  const given = (appointments: Appointments, refused: number, nowMs = 0, ahead = 0, random = seeded(3)): number[] =>
    Array.from({ length: refused }, () => appointments.next({ nowMs, perSecond: 100, ahead }, random));

  test("a rate gives each second to as many as it has room for", () => {
    const seconds = given(new Appointments(), 2_000);
    const perSecond = Array.from({ length: 21 }, (_, s) => seconds.filter((second) => second === s + 1).length);
    // The first second begins half full and the last is half empty: a moment is rounded up by chance.
    expect(perSecond.slice(1, -2).every((count) => count > 60 && count < 140)).toBe(true);
    expect(seconds.every((second, index) => second >= index / 100)).toBe(true);
    expect(Math.max(...seconds)).toBe(21);
  });

  test("those who wait already come first", () => {
    expect(Math.min(...given(new Appointments(), 50, 0, 1_000))).toBeGreaterThanOrEqual(10);
  });

  test("time that has passed is not given out", () => {
    const appointments = new Appointments();
    given(appointments, 1_000);
    expect(Math.max(...given(appointments, 10, 60_000))).toBeLessThanOrEqual(2);
  });

  test("nobody is sent away for longer than a minute, and those for whom there is no moment are spread", () => {
    const seconds = given(new Appointments(), 20_000);
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(60);
    expect(new Set(seconds.slice(10_000)).size).toBe(31);
  });
});
