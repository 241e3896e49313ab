import { z } from "zod";
import { limitUpTo } from "./limits.ts";
import { celRules } from "./schema-notes.ts";

/** 1 TiB. What is above is mistyped, and all below is counted exactly. */
const MOST_BYTES = 2 ** 40;
const MOST_FRAMES = 1_000_000;

export const frames = z
  .strictObject({
    strictness: z
      .enum(["Observe", "Enforce"])
      .default("Observe")
      .describe(
        "What is done about frames against RFC 6455, of either side. Observe: they are counted and pass; once it is lost " +
          "where frames begin, the tunnel goes on as bare bytes: we can send neither Ping nor Close into it any more, and see " +
          "no messages that could be limited. Enforce: the tunnel is closed with 1002, and nothing of the frame passes; for " +
          "limits that nobody shall get round.",
      ),
    maxMessageBytes: limitUpTo(MOST_BYTES)
      .describe(
        "Payload of a message, all its fragments together, as sent (compressed, where that was negotiated), of either " +
          "side. A frame that goes beyond does not pass: the tunnel is closed with 1009. Not set: no limit.",
      )
      .optional(),
    maxFragments: limitUpTo(MOST_FRAMES)
      .describe(
        "Frames of a message, of either side. 1: messages in one piece only. Above it the tunnel is closed with 1008. Not " +
          "set: no limit.",
      )
      .optional(),
    messagesPerSecond: limitUpTo(MOST_FRAMES)
      .describe("Messages that a client may send. One second's worth may come at once. Not set: no limit.")
      .optional(),
    bytesPerSecond: limitUpTo(MOST_BYTES)
      .describe(
        "Bytes that a client may send, headers of frames included. One second's worth may come at once. Not set: no limit.",
      )
      .optional(),
    controlFramesPerSecond: limitUpTo(MOST_FRAMES)
      .describe(
        "Pings and Pongs that a client may send; answers to Pings of ours do not count. One second's worth may come at " +
          "once. Not set: no limit.",
      )
      .optional(),
    onLimit: z
      .enum(["Pause", "Close"])
      .default("Close")
      .describe(
        "What is done about a client above a rate. Pause: what is above it waits, and TCP slows the client down. Close: the " +
          "tunnel is closed with 1008.",
      ),
  })
  .meta(
    celRules({
      // The API server tries rules on the empty object that stands for no frames at all, before it fills in onLimit.
      rule:
        "!has(self.onLimit) || self.onLimit != 'Pause' || has(self.messagesPerSecond) || has(self.bytesPerSecond) || " +
        "has(self.controlFramesPerSecond)",
      message:
        "Pause is about rates: set messagesPerSecond, bytesPerSecond or controlFramesPerSecond; a message above " +
        "maxMessageBytes or maxFragments always closes the tunnel",
      fieldPath: ".onLimit",
    }),
  )
  .prefault({})
  .describe("What frames may be. Limits are per tunnel, and off unless they are set.");
