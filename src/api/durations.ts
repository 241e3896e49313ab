import { z } from "zod";
import { celRules } from "./schema-notes.ts";

/** As in Gateway API (GEP-2257): whole numbers with units, largest first by custom: `500ms`, `10s`, `1h30m`. */
const duration = z
  .string()
  .min(1, { abort: true })
  .max(32, { abort: true })
  .regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/, {
    error: "must be a duration: one to four whole numbers with h, m, s or ms (500ms, 10s, 1h30m)",
  });

/** Timers of Node end at 2^31 - 1 ms, which is 24.8 days. */
const LONGEST = "576h";

/** A duration that can be switched off with `0s`. */
export const durationOrOff = duration.meta(
  celRules({ rule: `duration(self) <= duration('${LONGEST}')`, message: `must be at most ${LONGEST} (24 days)` }),
);

/** A duration that cannot be switched off; `longest` in the same spelling. */
export function positiveDuration(longest: string = LONGEST): z.ZodString {
  return duration.meta(
    celRules(
      { rule: "duration(self) > duration('0s')", message: "must be longer than 0s: it cannot be switched off" },
      { rule: `duration(self) <= duration('${longest}')`, message: `must be at most ${longest}` },
    ),
  );
}

/** A duration with a least and a greatest one, both in the same spelling. */
export function durationBetween(shortest: string, longest: string): z.ZodString {
  return duration.meta(
    celRules(
      { rule: `duration(self) >= duration('${shortest}')`, message: `must be at least ${shortest}` },
      { rule: `duration(self) <= duration('${longest}')`, message: `must be at most ${longest}` },
    ),
  );
}

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
]);

/**
 * A duration of a parsed route in milliseconds: `1h30m` is 5,400,000. Throws a TypeError on text that no parsed route
 * holds.
 */
export function durationMs(text: string): number {
  if (!/^([0-9]{1,5}(h|ms|m|s)){1,4}$/.test(text)) throw new TypeError("not a duration");
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(h|ms|m|s)/g)) {
    totalMs += Number(count) * (UNIT_MS.get(unit ?? "") ?? Number.NaN);
  }
  return totalMs;
}
