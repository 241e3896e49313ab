import { Environment } from "@marcbachmann/cel-js";
import { fieldOf, itemOf } from "./field-path.ts";
import type { OpenApiSchema } from "./open-api.ts";
import type { Issue } from "./parsed.ts";
import type { CelRule } from "./schema-notes.ts";

/** Says what a value that already has the shape of the schema breaks of its rules. Never throws. */
export type RuleCheck = (value: unknown, path: string) => readonly Issue[];

type Visit = (value: unknown, path: string, issues: Issue[]) => void;

/**
 * The rules that an API server enforces beyond the shape: CEL, and lists that are sets or maps. Every expression is
 * compiled here, once; parts of the schema that have no rules are never walked.
 */
export function compileRules(schema: OpenApiSchema): RuleCheck {
  const visit = visitorOf(schema);
  return (value, path) => {
    const issues: Issue[] = [];
    visit?.(value, path, issues);
    return issues;
  };
}

function visitorOf(schema: OpenApiSchema): Visit | undefined {
  const visits = [
    uniqueness(schema),
    ...(schema["x-kubernetes-validations"] ?? []).map(celVisit),
    properties(schema),
    items(schema),
  ];
  const present = visits.filter((visit) => visit !== undefined);
  if (present.length <= 1) return present[0];
  return (value, path, issues) => {
    for (const visit of present) visit(value, path, issues);
  };
}

function properties(schema: OpenApiSchema): Visit | undefined {
  const visits = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const visit = visitorOf(property);
    return visit === undefined ? [] : [{ name, visit }];
  });
  if (visits.length === 0) return undefined;
  return (value, path, issues) => {
    const object = value as Readonly<Record<string, unknown>>;
    for (const { name, visit } of visits) {
      const property = object[name];
      if (property !== undefined) visit(property, fieldOf(path, name), issues);
    }
  };
}

function items(schema: OpenApiSchema): Visit | undefined {
  const visit = schema.items === undefined ? undefined : visitorOf(schema.items);
  if (visit === undefined) return undefined;
  return (value, path, issues) => {
    for (const [index, item] of (value as readonly unknown[]).entries()) visit(item, itemOf(path, index), issues);
  };
}

/** `x-kubernetes-list-type`: set and map refuse what is listed twice. Keys of our maps are single required texts. */
function uniqueness(schema: OpenApiSchema): Visit | undefined {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "set" && listType !== "map") return undefined;
  const [key] = schema["x-kubernetes-list-map-keys"] ?? [];
  return (value, path, issues) => {
    const seen = new Set<unknown>();
    for (const [index, item] of (value as readonly unknown[]).entries()) {
      const identity = key === undefined ? item : (item as Readonly<Record<string, unknown>>)[key];
      if (seen.has(identity)) issues.push({ field: itemOf(path, index), message: "is listed twice: list it once" });
      seen.add(identity);
    }
  };
}

const cel = new Environment().registerVariable("self", "dyn");

function celVisit({ rule, message, fieldPath = "" }: CelRule): Visit {
  const holds = cel.parse(rule);
  return (value, path, issues) => {
    if (!isTrue(holds, value)) issues.push({ field: `${path}${fieldPath}`, message });
  };
}

/** An expression that fails on a value counts as broken by it, as the API server has it. */
function isTrue(holds: (context: { self: unknown }) => unknown, self: unknown): boolean {
  try {
    return holds({ self }) === true;
  } catch {
    return false;
  }
}
