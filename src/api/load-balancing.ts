import { z } from "zod";
import { durationOrOff } from "./durations.ts";
import { celRules } from "./schema-notes.ts";

const ALGORITHMS = ["LeastTunnels", "RoundRobin", "Random", "ConsistentHash"] as const;

const hashOn = z
  .strictObject({
    type: z
      .enum(["ClientIP", "Header", "Cookie", "QueryParam"])
      .describe(
        "ClientIP: the client's address, as it stands in the logs. Header, Cookie, QueryParam: the value under `name`.",
      ),
    name: z
      .string()
      .min(1, { abort: true })
      .max(256, { abort: true })
      .regex(/^[^\x00-\x1f\x7f]+$/, { error: "must not hold control characters" })
      .describe(
        "Of the header, in any case; of the cookie, or of the query parameter, decoded, upper and lower case apart. The value is " +
          "the whole header (a repeated one joined by `, `), or that of the first cookie or parameter of the name.",
      )
      .optional(),
  })
  .meta(
    celRules(
      {
        rule: "self.type == 'ClientIP' || has(self.name)",
        message: "set the name of the header, cookie or query parameter to hash on",
        fieldPath: ".name",
      },
      {
        rule: "self.type != 'ClientIP' || !has(self.name)",
        message: "ClientIP has no name: leave it out",
        fieldPath: ".name",
      },
      {
        // The names of headers and cookies are tokens (RFC 9110 5.6.2, RFC 6265 4.1.1).
        rule:
          "!has(self.name) || !(self.type in ['Header', 'Cookie']) || " +
          'self.name.matches("^[-A-Za-z0-9!#$%&\'*+.^_`|~]+$")',
        message: "the name of a header or cookie must be letters, digits and any of -!#$%&'*+.^_`|~",
        fieldPath: ".name",
      },
    ),
  )
  .describe(
    "What of a request the backend is chosen by. Only with ConsistentHash, which needs it. A request that has it not, or " +
      "empty, is balanced by LeastTunnels.",
  );

export const loadBalancing = z
  .strictObject({
    algorithm: z
      .enum(ALGORITHMS)
      .default("LeastTunnels")
      .describe(
        "LeastTunnels: who carries the fewest. RoundRobin: in turn. Random: of two at random, who carries fewer. " +
          "ConsistentHash: requests with the same `hashOn` get the same backend, as long as it is there and carries at most " +
          "1.25 times the mean. Handshakes and plain requests under way count like tunnels.",
      ),
    hashOn: hashOn.optional(),
    slowStart: durationOrOff
      .default("0s")
      .describe(
        "A backend that has become ready gets its share of tunnels little by little over this time: after a third of it, it " +
          "carries at most a third of the mean. With RoundRobin it then has a third of its turns. 0s: its whole share at once.",
      ),
  })
  .meta(
    celRules(
      {
        // The API server tries rules on the empty object that stands for no loadBalancing, before it fills in algorithm.
        rule: "!has(self.hashOn) || (has(self.algorithm) && self.algorithm == 'ConsistentHash')",
        message: "hashOn is for ConsistentHash: set `algorithm` to it, or leave hashOn out",
        fieldPath: ".hashOn",
      },
      {
        rule: "!has(self.algorithm) || self.algorithm != 'ConsistentHash' || has(self.hashOn)",
        message: "ConsistentHash needs hashOn: say what of a request the backend is chosen by",
        fieldPath: ".hashOn",
      },
    ),
  )
  .prefault({})
  .describe(
    "Which backend of an upstream a tunnel or request gets. The weights of the backendRefs choose the upstream before.",
  );
