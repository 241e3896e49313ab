import { z } from "zod";
import { numberBetween } from "./limits.ts";
import { LIST_IS_SET } from "./schema-notes.ts";

const REASONS = ["502", "503", "Connect", "Timeout"] as const;

export const retry = z
  .strictObject({
    // Not `on`: kubectl and Helm read that word as true, YAML 1.1's way.
    reasons: z
      .array(z.enum(REASONS).describe("One of them; the numbers in quotes."))
      .max(REASONS.length, { abort: true })
      .meta(LIST_IS_SET)
      .default(["Connect"])
      .describe(
        "Why a request is tried again. Connect: the backend could not be connected to, so it has seen nothing of the request. " +
          "Timeout: it did not answer in this try's share of `timeouts.handshake`. 502: it answered so, or with what is no " +
          "answer, or it ended the connection. 503: it answered so. After all but Connect it may have acted on the " +
          "handshake, and one that is repeated uses up tickets that are good for one. Plain requests are tried again on Connect " +
          "alone. Empty: nothing is.",
      ),
    attempts: numberBetween(0, 10)
      .default(1)
      .describe("Tries after the first, each on a backend that was not tried yet. 0: none."),
    budgetPercent: numberBetween(0, 100)
      .default(20)
      .describe(
        "Tries after the first are at most this share of the rule's requests, and 10 each second beside, so that they cannot " +
          "multiply an outage. In each replica.",
      ),
  })
  .prefault({})
  .describe("What is tried again on another backend before the client is answered, all within `timeouts.handshake`.");
