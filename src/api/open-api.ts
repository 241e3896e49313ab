import { z } from "zod";
import type { CelRule } from "./schema-notes.ts";

/** The part of OpenAPI v3 with Kubernetes' extensions that our schemas print. */
export interface OpenApiSchema {
  readonly type: "object" | "array" | "string" | "integer" | "boolean";
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly CelRule[];
}

/**
 * A zod schema as the API server takes it: structural, from the user's side (before defaults), nothing shared. Unknown
 * fields are refused by zod in `files` mode; there the API server prunes, or refuses by itself (fieldValidation=Strict).
 */
export function openApiSchema(schema: z.ZodType): OpenApiSchema {
  const printed = z.toJSONSchema(schema, {
    target: "openapi-3.0",
    io: "input",
    reused: "inline",
    override: ({ jsonSchema }) => {
      delete jsonSchema.additionalProperties;
      // JavaScript prints `/` escaped; RE2 would bear it, readers need not.
      if (jsonSchema.pattern !== undefined) jsonSchema.pattern = jsonSchema.pattern.replaceAll("\\/", "/");
      if (jsonSchema.type === "integer") jsonSchema.format ??= isWide(jsonSchema) ? "int64" : "int32";
    },
  });
  // Plain data only: what zod hangs on it besides is not part of the schema.
  return JSON.parse(JSON.stringify(printed)) as OpenApiSchema;
}

function isWide({ maximum }: { readonly maximum?: number }): boolean {
  return maximum !== undefined && maximum > 2 ** 31 - 1;
}
