import { z } from "zod";
import { listIsMapBy } from "./schema-notes.ts";

const generation = z.int().min(0).meta({ format: "int64" });

/** As metav1.Condition (Kubernetes API conventions). */
const condition = z.strictObject({
  type: z
    .string()
    .min(1)
    .max(316)
    .regex(/^[A-Za-z]([-A-Za-z0-9./]*[A-Za-z0-9])?$/)
    .describe(
      "Accepted: the route is well-formed and ours. ResolvedRefs: what it names exists. Programmed: it is served.",
    ),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether the condition holds."),
  reason: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    .describe("Why, in one word for programs."),
  message: z.string().max(32_768).describe("Why, in words for people: the field and what to do about it."),
  lastTransitionTime: z.string().max(64).meta({ format: "date-time" }).describe("When the status last changed."),
  observedGeneration: generation.describe("The metadata.generation that this was said of.").optional(),
});

/** What Holdfast says back. Written by the leader of the replicas only. */
export const status = z
  .strictObject({
    conditions: z
      .array(condition.describe("One thing that holds or not."))
      .max(8)
      .meta(listIsMapBy("type"))
      .describe("What holds of the route as it stands.")
      .optional(),
    observedGeneration: generation.describe("The newest metadata.generation that was looked at.").optional(),
  })
  .describe("What Holdfast says of the route. In manifests of a folder it is ignored.");
