import { z } from "zod";
import { positiveDuration } from "./durations.ts";
import { celRules } from "./schema-notes.ts";

const cookie = z
  .strictObject({
    name: z
      .string()
      .min(1, { abort: true })
      .max(64, { abort: true })
      // A token (RFC 6265 4.1.1).
      .regex(/^[-A-Za-z0-9!#$%&'*+.^_`|~]+$/, { error: "must be letters, digits and any of -!#$%&'*+.^_`|~" })
      .describe("Not set: `holdfast-` and a hash of the route's namespace and name and of the rule's name.")
      .optional(),
    ttl: positiveDuration()
      .describe("The cookie lives so long after the last answer (Max-Age). Not set: as long as the browser's session.")
      .optional(),
    path: z
      .string()
      .max(256, { abort: true })
      // What stands in an attribute of Set-Cookie (RFC 6265 4.1.1).
      .regex(/^\/[!-:<-~]*$/, { error: "must begin with / and hold visible ASCII characters without ';'" })
      .default("/")
      .describe("Paths that the cookie is sent to."),
    sameSite: z
      .enum(["Lax", "Strict", "None"])
      .default("Lax")
      .describe("Whether pages of other sites may send it. None needs secure."),
    secure: z
      .boolean()
      .default(false)
      .describe("Sent back over TLS only. Switch it on wherever clients speak TLS, be it to a balancer in front."),
  })
  .meta(
    celRules(
      {
        rule: "self.sameSite != 'None' || self.secure",
        message: "SameSite=None is only kept by browsers together with secure: true",
        fieldPath: ".sameSite",
      },
      {
        rule: "!has(self.name) || !self.name.startsWith('__Secure-') || self.secure",
        message: "a name that begins with __Secure- needs secure: true",
        fieldPath: ".name",
      },
      {
        rule: "!has(self.name) || !self.name.startsWith('__Host-') || (self.secure && self.path == '/')",
        message: "a name that begins with __Host- needs secure: true and path: /",
        fieldPath: ".name",
      },
    ),
  )
  .describe("A cookie of ours tells which backend the client was on. It is HttpOnly, and holds a keyed hash.");

export const affinity = z
  .strictObject({ cookie })
  .describe(
    "The same client, the same backend: for applications that keep a session in one Pod, such as socket.io with polling. It " +
      "goes before the weights and before loadBalancing. Needs a key (--affinity-key, which the chart sets from a Secret).",
  );
