import { z } from "zod";
import { LIST_IS_SET } from "./schema-notes.ts";

const REASONS = ["Connect", "Timeout", "502", "503"] as const;

export const retry = z
  .strictObject({
    on: z
      .array(z.enum(REASONS))
      .max(REASONS.length, { abort: true })
      .meta(LIST_IS_SET)
      .default(["Connect"])
      .describe(
        "Connect: the backend could not be connected to, so it has seen nothing of the request. The others send a handshake " +
          "that a backend may have acted on a second time, which uses up tickets that are good for one: Timeout: no answer in this " +
          "try's share of `timeouts.handshake`. 502: the backend answered so, or not as it should. 503: the backend answered so. " +
          "Plain requests are only tried again on Connect.",
      ),
    attempts: z
      .int()
      .min(0)
      .max(10)
      .default(1)
      .describe("Further tries, each on a backend that was not tried yet. 0: none."),
    budgetPercent: z
      .int()
      .min(0)
      .max(100)
      .default(20)
      .describe(
        "Further tries are at most this share of the rule's requests, beside 10 each second, so that they cannot multiply an " +
          "outage. In each replica.",
      ),
  })
  .prefault({})
  .describe("What is tried again on another backend before the client is answered, all within `timeouts.handshake`.");
