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
      "Accepted: the route is well-formed and ours. ResolvedRefs: what it names exists and may be referred to. Programmed: it is served.",
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

const backendCount = z.int32().min(0);

/** Summed over the upstreams that the route names and may refer to. */
const backends = z
  .strictObject({
    ready: backendCount.describe("Backends that take new tunnels and requests."),
    draining: backendCount.describe("Backends that are going away: they take no new tunnels and keep their old ones."),
  })
  .describe(
    "How many backends there are behind the route. Written with some delay, since Pods come and go all the time.",
  );

/** What Holdfast says back. Written by the leader of the replicas only. */
export const status = z
  .strictObject({
    conditions: z
      .array(condition.describe("One thing that holds or not."))
      .max(8)
      .meta(listIsMapBy("type"))
      .describe("What holds of the route as it stands.")
      .optional(),
    backends: backends.optional(),
    observedGeneration: generation.describe("The newest metadata.generation that was looked at.").optional(),
  })
  .describe("What Holdfast says of the route. In manifests of a folder it is ignored.");
