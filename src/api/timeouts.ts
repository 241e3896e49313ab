import { z } from "zod";
import { durationOrOff, positiveDuration } from "./durations.ts";

export const timeouts = z
  .strictObject({
    handshake: positiveDuration("1h")
      .default("10s")
      .describe(
        "For the whole upgrade: from the client's complete head to the final answer, dials and retries included.",
      ),
    responseHeaders: positiveDuration()
      .default("60s")
      .describe("Plain HTTP: until the backend's response head. Streams and long downloads are not cut by it."),
    request: durationOrOff.default("0s").describe("Plain HTTP: for the whole exchange, bodies included. 0s: no limit."),
    idle: durationOrOff
      .default("0s")
      .describe("Tunnels: closed with 1001 when neither side sent anything for this long. 0s: never."),
  })
  .prefault({})
  .describe("How long things may take.");
