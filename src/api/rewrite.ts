import { z } from "zod";
import { hostHeader } from "./hostnames.ts";
import { pathValue } from "./paths.ts";
import { type CelRule, celRules } from "./schema-notes.ts";

const path = z.strictObject({
  type: z
    .enum(["ReplaceFullPath", "ReplacePrefixMatch"])
    .describe(
      "ReplaceFullPath: `value` is the path. ReplacePrefixMatch: `value` takes the place of the prefix that matched.",
    ),
  value: pathValue.describe("The new path, or what the prefix becomes (`/` takes it away). The query stays as it is."),
});

/** What the backend sees in place of what the client asked for. */
export const rewrite = z
  .strictObject({
    path: path.describe("How the path changes.").optional(),
    host: hostHeader
      .describe("What the backend reads in Host. Not set: what the client sent, with its port.")
      .optional(),
  })
  .meta(
    celRules({
      rule: "has(self.path) || has(self.host)",
      message: "must say path or host; leave rewrite out to change nothing",
    }),
  );

/** On a rule: the part that is replaced must exist in every match. */
export const prefixIsMatched: CelRule = {
  rule:
    "!has(self.rewrite) || !has(self.rewrite.path) || self.rewrite.path.type != 'ReplacePrefixMatch' || " +
    "self.matches.all(m, m.path.type == 'PathPrefix')",
  message: "ReplacePrefixMatch needs PathPrefix in every match of the rule; use ReplaceFullPath, or two rules",
  fieldPath: ".rewrite.path.type",
};
