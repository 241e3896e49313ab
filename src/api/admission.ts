import { z } from "zod";
import { positiveDuration } from "./durations.ts";
import { limitUpTo, numberBetween } from "./limits.ts";
import { celRules } from "./schema-notes.ts";

const MOST_TUNNELS = 1_000_000;
const MOST_PER_SECOND = 100_000;
const MOST_WAITING = 100_000;

/** How many may wait. There is no 0: whoever wants nobody to wait leaves out the whole of it. */
function places(whole: string): z.ZodNumberFormat {
  return numberBetween(1, MOST_WAITING, `must be at least 1; leave ${whole} out for no waiting`);
}

const queue = z
  .strictObject({
    size: places("queue").default(100).describe("Handshakes that wait at once. Those beyond are refused."),
    timeout: positiveDuration("1m")
      .default("2s")
      .describe("A handshake that has waited this long is refused. The wait is part of `timeouts.handshake`."),
  })
  .describe("Where handshakes above a limit wait for their turn. Not set: they are refused at once.");

const holdUntilReady = z
  .strictObject({
    size: places("holdUntilReady").default(1000).describe("Handshakes that wait so at once. Those beyond are refused."),
    timeout: positiveDuration("1h")
      .default("30s")
      .describe("A handshake that has waited this long is refused. `timeouts.handshake` begins after the wait."),
  })
  .describe(
    "Handshakes that find no ready backend wait until there is one: while a Deployment comes back from nothing, or rolls. Not " +
      "set: they are refused at once.",
  );

export const admission = z
  .strictObject({
    maxTunnels: limitUpTo(MOST_TUNNELS)
      .describe("Tunnels of the rule at once, handshakes under way included. Not set: no limit.")
      .optional(),
    maxTunnelsPerBackend: limitUpTo(MOST_TUNNELS)
      .describe(
        "A backend that carries this many tunnels, of all rules that lead to it and with handshakes under way, gets no more " +
          "from this rule. Not set: no limit.",
      )
      .optional(),
    handshakesPerSecond: limitUpTo(MOST_PER_SECOND)
      .describe("Handshakes that go to backends. One second's worth may come at once, 100 at most. Not set: no limit.")
      .optional(),
    queue: queue.optional(),
    holdUntilReady: holdUntilReady.optional(),
  })
  .meta(
    celRules({
      rule: "!has(self.queue) || has(self.maxTunnels) || has(self.maxTunnelsPerBackend) || has(self.handshakesPerSecond)",
      message:
        "there is no limit to wait for: set maxTunnels, maxTunnelsPerBackend or handshakesPerSecond, or leave queue out",
      fieldPath: ".queue",
    }),
  )
  .prefault({})
  .describe(
    "How many handshakes and tunnels each replica takes on for the rule. What is above waits in the queue, or is refused with " +
      "503 and a Retry-After. Plain requests are neither counted nor limited.",
  );
