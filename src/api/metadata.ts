import { z } from "zod";
import { dnsLabel, dnsSubdomain } from "./kubernetes-names.ts";

// Of objects that are only read. These schemas never become a CRD, so they may transform: what Go's JSON writes as null
// (a creationTimestamp that was never set, an empty list) counts as not written. Fields that nobody here uses are left out.

/** `null` and a missing field are the same. */
export function unlessNull<Schema extends z.ZodType>(
  schema: Schema,
): z.ZodOptional<
  z.ZodPipe<z.ZodNullable<Schema>, z.ZodTransform<z.output<Schema> | undefined, z.output<Schema> | null>>
> {
  return schema
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();
}

/** `metadata` as far as it is used. Namespaces default as kubectl's do. */
export const objectMetadata = z.object({
  name: dnsSubdomain,
  namespace: dnsLabel.default("default"),
  generation: unlessNull(z.int().min(0)),
  creationTimestamp: unlessNull(z.string().max(64)),
});

export type ObjectMetadata = Readonly<z.output<typeof objectMetadata>>;

/** With labels, for objects that are found by them. */
export const labelledMetadata = objectMetadata.extend({
  labels: unlessNull(z.record(z.string(), z.string())),
});
