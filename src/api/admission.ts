import { z } from "zod";
import { positiveDuration } from "./durations.ts";
import { limitUpTo } from "./limits.ts";
import { celRules } from "./schema-notes.ts";

const MOST_TUNNELS = 1_000_000;
const MOST_PER_SECOND = 100_000;
const MOST_WAITING = 100_000;

const queue = z
  .strictObject({
    size: limitUpTo(MOST_WAITING).default(100).describe("Handshakes that wait at once. Those beyond are refused."),
    timeout: positiveDuration("1m")
      .default("2s")
      .describe("A handshake that has waited so long is refused. It is a part of `timeouts.handshake`."),
  })
  .describe("Where handshakes wait that are above a limit. Not set: they are refused at once.");

const holdUntilReady = z
  .strictObject({
    size: limitUpTo(MOST_WAITING).default(1000).describe("Handshakes that are held at once. Those beyond are refused."),
    timeout: positiveDuration("1h")
      .default("30s")
      .describe("A handshake that was held so long is refused. `timeouts.handshake` begins after it."),
  })
  .describe(
    "Handshakes that find no ready backend wait until there is one: while a Deployment comes back from nothing, or rolls. Not " +
      "set: they are refused at once.",
  );

export const admission = z
  .strictObject({
    maxTunnels: limitUpTo(MOST_TUNNELS)
      .describe("Tunnels of the rule at once, handshakes under way included.")
      .optional(),
    maxTunnelsPerBackend: limitUpTo(MOST_TUNNELS)
      .describe(
        "A backend that carries so many tunnels, of whatever rule, handshakes under way included, gets none of this rule.",
      )
      .optional(),
    handshakesPerSecond: limitUpTo(MOST_PER_SECOND)
      .describe("Handshakes that may begin in a second; after a quiet time a second's worth at once.")
      .optional(),
    queue: queue.optional(),
    holdUntilReady: holdUntilReady.optional(),
  })
  .meta(
    celRules({
      rule: "!has(self.queue) || has(self.maxTunnels) || has(self.maxTunnelsPerBackend) || has(self.handshakesPerSecond)",
      message:
        "there is nothing to wait for: set maxTunnels, maxTunnelsPerBackend or handshakesPerSecond, or leave queue out",
      fieldPath: ".queue",
    }),
  )
  .prefault({})
  .describe(
    "How many handshakes and tunnels the rule takes on, in each replica. What is above waits in the queue, or is refused with " +
      "503 and a Retry-After. Plain requests are not counted.",
  );
