import { z } from "zod";
import { positiveDuration } from "./durations.ts";

/** An end for tunnels that would live too long, spread so that clients do not come back all at once. */
export const lifetime = z.strictObject({
  max: positiveDuration().describe("A tunnel is closed with 1001 at this age at the latest."),
  jitterPercent: z
    .int32()
    .min(0)
    .max(100)
    .default(20)
    .describe(
      "Each tunnel ends up to this share of `max` earlier, at random, so that clients come back spread over time.",
    ),
});
