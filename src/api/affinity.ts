import { z } from "zod";
import { positiveDuration } from "./durations.ts";
import { celRules } from "./schema-notes.ts";

/** 400 days: browsers keep no cookie longer (RFC 6265bis 5.5). */
const LONGEST_TTL = "9600h";

const cookie = z
  .strictObject({
    name: z
      .string()
      .min(1, { abort: true })
      .max(64, { abort: true })
      // A token (RFC 6265 4.1.1).
      .regex(/^[-A-Za-z0-9!#$%&'*+.^_`|~]+$/, { error: "must be letters, digits and any of -!#$%&'*+.^_`|~" })
      .describe(
        "None that the application uses itself, nor another rule of the host. Not set: `holdfast-` and a hash of the route's " +
          "namespace and name and of the rule's name.",
      )
      .optional(),
    ttl: positiveDuration(LONGEST_TTL)
      .describe(
        "How long the cookie lives after the latest answer (Max-Age). Not set: as long as the browser's session.",
      )
      .optional(),
    path: z
      .string()
      .max(256, { abort: true })
      // What stands in an attribute of Set-Cookie (RFC 6265 4.1.1).
      .regex(/^\/[!-:<-~]*$/, { error: "must begin with / and hold visible ASCII characters without ';'" })
      .default("/")
      .describe("The path below which clients send the cookie. What the rule matches must lie there."),
    sameSite: z
      .enum(["Lax", "Strict", "None"])
      .default("Lax")
      .describe(
        "Lax, Strict: browsers do not send it with the WebSockets and polling of a page from another site. None: they send it " +
          "always; needs secure.",
      ),
    secure: z
      .boolean()
      .default(false)
      .describe(
        "Clients send it over TLS only. Set it wherever they speak TLS, also to a balancer in front of Holdfast.",
      ),
  })
  .meta(
    celRules(
      {
        rule: "self.sameSite != 'None' || self.secure",
        message: "browsers keep a cookie with SameSite=None only if it is secure: set secure: true",
        fieldPath: ".sameSite",
      },
      // Browsers read these prefixes in any case (RFC 6265bis 4.1.3).
      {
        rule: "!has(self.name) || !self.name.matches('^(?i:__Secure-|__Http-)') || self.secure",
        message: "browsers keep a cookie whose name begins so only if it is secure: set secure: true",
        fieldPath: ".name",
      },
      {
        rule: "!has(self.name) || !self.name.matches('^(?i:__Host-)') || (self.secure && self.path == '/')",
        message: "browsers keep a cookie whose name begins with __Host- only with secure: true and path: /",
        fieldPath: ".name",
      },
    ),
  )
  .describe("A cookie of ours says which backend the client was on. It is HttpOnly, and holds a keyed hash.");

export const affinity = z
  .strictObject({ cookie })
  .describe(
    "The same client, the same backend: for applications that keep a session in one Pod, such as socket.io with polling. It " +
      "goes before the weights and before loadBalancing. It needs a key (--affinity-key, which the chart sets from a Secret); " +
      "without one the rule is served, and binds nobody. Not set: nobody is bound.",
  );
