import { z } from "zod";
import { admission } from "./admission.ts";
import { affinity } from "./affinity.ts";
import { backendRefs } from "./backend-refs.ts";
import { drain } from "./drain.ts";
import { frames } from "./frames.ts";
import { headerEdits } from "./headers.ts";
import { health, probePortIsOwn } from "./health.ts";
import { keepalive } from "./keepalive.ts";
import { lifetime } from "./lifetime.ts";
import { loadBalancing } from "./load-balancing.ts";
import { matches } from "./matches.ts";
import { retry } from "./retry.ts";
import { prefixIsMatched, rewrite } from "./rewrite.ts";
import { celRules } from "./schema-notes.ts";
import { timeouts } from "./timeouts.ts";

const ruleName = z
  .string()
  .min(1, { abort: true })
  .max(63, { abort: true })
  // Begins with a letter: a rule without a name goes by its index, and the two must not meet.
  .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/, {
    error: "must be lower-case letters, digits and '-', begin with a letter and end with a letter or digit",
  });

const rule = z
  .strictObject({
    name: ruleName
      .describe(
        "Known in logs and metrics by it; unique in the route. A live tunnel follows the policy of the rule that has its " +
          "rule's name now. Not set: the rule's index.",
      )
      .optional(),
    matches,
    backendRefs,
    loadBalancing,
    affinity: affinity.optional(),
    health,
    retry,
    admission,
    rewrite: rewrite.describe("What the backend sees in place of what the client asked for.").optional(),
    requestHeaders: headerEdits
      .describe("Edits of the head that goes to the backend: remove, then set, then add.")
      .optional(),
    responseHeaders: headerEdits
      .describe("Edits of the head that goes to the client, the 101 included: remove, then set, then add.")
      .optional(),
    plainHTTP: z
      .enum(["Forward", "Reject"])
      .default("Forward")
      .describe(
        "Requests that do not upgrade. Forward: proxied like any HTTP. Reject: answered with 426 Upgrade Required.",
      ),
    timeouts,
    lifetime: lifetime.describe("An end for tunnels that would live too long. Not set: none.").optional(),
    keepalive,
    frames,
    drain,
  })
  .meta(celRules(prefixIsMatched, probePortIsOwn));

export const rules = z
  .array(rule.describe("What matches, where it goes, and how it is treated on the way."))
  .min(1)
  .max(16, { abort: true })
  .meta({
    "x-kubernetes-list-type": "atomic",
    ...celRules({
      rule: "self.all(a, !has(a.name) || self.exists_one(b, has(b.name) && a.name == b.name))",
      message: "rule names must be unique within the route",
    }),
  })
  .describe("What is served, and how.");
