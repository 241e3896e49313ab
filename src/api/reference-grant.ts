import { z } from "zod";
import { dnsLabel, dnsSubdomain } from "./kubernetes-names.ts";
import { objectMetadata } from "./metadata.ts";
import { type Parsed, parseBy } from "./parsed.ts";

/** Versions that a ReferenceGrant may be of; they agree in all that is used here. */
export const GRANT_API_VERSIONS = ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"] as const;

const group = z.string().max(253);
const kind = z.string().min(1).max(63);
// As Gateway API has it.
const MOST_ENTRIES = 16;

const referenceGrant = z.object({
  apiVersion: z.enum(GRANT_API_VERSIONS),
  kind: z.literal("ReferenceGrant"),
  metadata: objectMetadata,
  spec: z.object({
    /** Who may refer: any of these. */
    from: z
      .array(z.object({ group, kind, namespace: dnsLabel }))
      .min(1)
      .max(MOST_ENTRIES),
    /** To what, in the grant's own namespace: any of these; without a name all of the kind. */
    to: z
      .array(z.object({ group, kind, name: dnsSubdomain.optional() }))
      .min(1)
      .max(MOST_ENTRIES),
  }),
});

/** A ReferenceGrant (gateway.networking.k8s.io) as far as it is used. */
export type ReferenceGrant = Readonly<z.output<typeof referenceGrant>>;

/** Reads a ReferenceGrant: fields that nobody here uses are passed over, those in use must be right. Never throws. */
export function parseReferenceGrant(object: unknown): Parsed<ReferenceGrant> {
  return parseBy(referenceGrant, object);
}
