import { z } from "zod";
import { durationOrOff, positiveDuration } from "./durations.ts";

export const keepalive = z
  .strictObject({
    ping: durationOrOff
      .default("30s")
      .describe(
        "A client that sent nothing for this long gets a Ping, up to a tenth earlier at random, so that clients that came " +
          "together are not asked together. 0s: never.",
      ),
    timeout: positiveDuration()
      .default("20s")
      .describe(
        "Whoever sends nothing for this long after a Ping counts as dead: of a client the backend gets 1001, of a backend " +
          "the client gets 1012. Any byte is a sign of life. Does not run while we do not read from that side, or while it is " +
          "slow to take what it is sent (which is over when it took nothing at all for ten times this, at least 2m); each " +
          "64 KiB that went to it since it was last heard gives it one second more.",
      ),
    backendPing: durationOrOff.default("0s").describe("As `ping`, of the backend. 0s: never."),
  })
  .prefault({})
  .describe("How peers are found that are gone and did not say so. Our Pings and their Pongs do not count for idle.");
