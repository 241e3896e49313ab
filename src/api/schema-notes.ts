/**
 * What Kubernetes wants to know about a schema beyond OpenAPI, as metadata that zod prints into the CRD. In `files` mode
 * schema-rules.ts enforces the same notes, so that there is one source of rules.
 */

/** A cross-field rule in CEL; `self` is the value where it stands (Kubernetes, "Validation rules"). */
export interface CelRule {
  readonly rule: string;
  /** Says what to do, to whoever wrote the manifest. */
  readonly message: string;
  /** A field below the rule's place that the message is about: `.rewrite.path.type`. */
  readonly fieldPath?: string;
}

/** Rules that the value must satisfy. Never empty. */
export function celRules(...rules: readonly [CelRule, ...CelRule[]]): Readonly<Record<string, unknown>> {
  return { "x-kubernetes-validations": rules };
}

/** A list of scalars that holds each value once. */
export const LIST_IS_SET: Readonly<Record<string, unknown>> = { "x-kubernetes-list-type": "set" };

/** A list of objects that holds each value of `key` once; `key` must be a required field of them. */
export function listIsMapBy(key: string): Readonly<Record<string, unknown>> {
  return { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] };
}
