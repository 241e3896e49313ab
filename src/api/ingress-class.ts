import { z } from "zod";
import { dnsSubdomain } from "./kubernetes-names.ts";
import { unlessNull } from "./metadata.ts";
import { type Parsed, parseBy } from "./parsed.ts";

/** `"true"` marks the class of objects that name none (networking.k8s.io/v1). */
export const DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class";

const ingressClass = z.object({
  apiVersion: z.literal("networking.k8s.io/v1"),
  kind: z.literal("IngressClass"),
  // Belongs to no namespace: what a manifest says of one is passed over.
  metadata: z.object({ name: dnsSubdomain, annotations: unlessNull(z.record(z.string(), z.string())) }),
  spec: z.object({ controller: z.string().min(1).max(250) }),
});

/** An IngressClass (networking.k8s.io/v1) as far as it is used. */
export type IngressClass = Readonly<z.output<typeof ingressClass>>;

/** Reads an IngressClass: fields that nobody here uses are passed over, those in use must be right. Never throws. */
export function parseIngressClass(object: unknown): Parsed<IngressClass> {
  return parseBy(ingressClass, object);
}
