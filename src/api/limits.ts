import { z } from "zod";

/** A limit that is off when it is not set: a 0 would read as "nothing may pass" as well as "off". */
export function limitUpTo(most: number): z.ZodNumberFormat {
  const tooMuch = `must be at most ${most}; leave the field out for no limit`;
  return z
    .int({ abort: true, error: ({ code }) => (code === "too_big" ? tooMuch : undefined) })
    .min(1, { error: "must be at least 1; leave the field out for no limit" })
    .max(most, { error: tooMuch });
}
