import { z } from "zod";

/** A limit that is off when it is not set: a 0 would read as "nothing may pass" as well as "off". */
export function limitUpTo(most: number): z.ZodNumberFormat {
  const tooMuch = `must be at most ${most}; leave the field out for no limit`;
  return z
    .int({ abort: true, error: ({ code }) => (code === "too_big" ? tooMuch : undefined) })
    .min(1, { error: "must be at least 1; leave the field out for no limit" })
    .max(most, { error: tooMuch });
}

/** A whole number with both bounds said once each, however far beyond them it is. */
export function numberBetween(least: number, most: number, tooLittle = `must be at least ${least}`): z.ZodNumberFormat {
  const tooMuch = `must be at most ${most}`;
  const beyond = new Map([
    ["too_big", tooMuch],
    ["too_small", tooLittle],
  ]);
  return z
    .int({ abort: true, error: ({ code }) => beyond.get(code) })
    .min(least, { error: tooLittle })
    .max(most);
}
