import { z } from "zod";
import { positiveDuration } from "./durations.ts";
import { limitUpTo } from "./limits.ts";
import { celRules } from "./schema-notes.ts";

const MOST_TUNNELS = 1_000_000;

const LOWEST_CODE = 1000;
const HIGHEST_CODE = 4999;
/**
 * What an endpoint may send, of the codes below 3000 (RFC 6455 7.4.1 and the registry of RFC 6455 11.7). 1005, 1006 and
 * 1015 must never be sent, 1004 means nothing, 1002, 1007, 1009 and 1010 accuse the peer of what it did not do, and 1014
 * is a gateway's word for an answer that it did not get.
 */
const CODES = [1000, 1001, 1003, 1008, 1011, 1012, 1013] as const;
const ALLOWED_CODES = `must be one of ${CODES.join(", ")}, or 3000 to ${HIGHEST_CODE}`;

/** A control frame carries 125 bytes, and the code takes two of them (RFC 6455 5.5, 5.5.1). */
const LONGEST_REASON = 123;

const closeCode = z
  .int({ abort: true, error: ({ code }) => (code === "too_big" || code === "too_small" ? ALLOWED_CODES : undefined) })
  .min(LOWEST_CODE, { error: ALLOWED_CODES })
  .max(HIGHEST_CODE, { error: ALLOWED_CODES })
  .meta(celRules({ rule: `self in [${CODES.join(", ")}] || self >= 3000`, message: ALLOWED_CODES }));

const closeReason = z
  .string()
  .min(1, { abort: true })
  .max(LONGEST_REASON, { abort: true })
  .regex(/^[ -~]+$/, { error: "must be printable ASCII: letters, digits, punctuation and blanks" });

const keepOrClose = z.enum(["Keep", "Close"]).default("Keep");

export const drain = z
  .strictObject({
    onBackendRemoval: keepOrClose.describe(
      "The backend is terminating, or is not listed any more. Keep: its tunnels live until they end by themselves. Close: they " +
        "are closed, beginning at once when it is terminating, and when it vanished without that 5s later, unless it is back. " +
        "An upstream that has no endpoints left, or that no rule names any more, closes nothing by that.",
    ),
    onUnready: keepOrClose.describe(
      "The backend is listed and not ready, and does not terminate. Keep: its tunnels live on. Close: they are closed, " +
        "beginning 5s later, unless it is ready again; never while more than half of the upstream's endpoints that do not " +
        "terminate are unready.",
    ),
    onZeroWeight: keepOrClose.describe(
      "The rule gives the backend's upstream no share any more: weight 0, or not among its backendRefs. Keep: the rule's " +
        "tunnels there live on. Close: they are closed, beginning at once.",
    ),
    within: positiveDuration()
      .default("25s")
      .describe(
        "The last tunnel of a backend is told to close so long after its drain began. The idlest go first, the closes spread " +
          "evenly. What is left then is logged, and closing goes on. Shorter than the terminationGracePeriodSeconds of the " +
          "backend's Pods, or they cut what is left.",
      ),
    perSecond: limitUpTo(MOST_TUNNELS)
      .describe(
        "Tunnels of the rule that each replica closes in any second, at most, over all its drains. It goes before `within`. Not " +
          "set: no limit.",
      )
      .optional(),
    close: z
      .strictObject({
        code: closeCode
          .default(1012)
          .describe(
            "The client is closed with it. 1012 asks it to come back. The backend gets 1001, whatever stands here.",
          ),
        reason: closeReason.describe("Stands beside the code, for people. Not set: none.").optional(),
      })
      .prefault({})
      .describe("What the client is told."),
  })
  .prefault({})
  .describe(
    "What becomes of tunnels whose backend is to be left. New ones go elsewhere at once, whatever stands here. A backend " +
      "that comes back keeps the tunnels that were not told to close by then.",
  );
