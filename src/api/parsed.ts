import type { z } from "zod";
import { fieldOf, fieldPath } from "./field-path.ts";

/** Something in an object that its owner must put right: where it is and what to do. */
export interface Issue {
  /** `spec.rules[0].matches[1].path.value`; "" = the object itself. */
  readonly field: string;
  readonly message: string;
}

/** What a parser answers; a user's mistake is data, never an exception. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Nobody reads more at once, and a hostile object must not become a long list. */
const MOST_ISSUES = 32;

/** Reads `object` by a schema; what is wrong with it in our words. */
export function parseBy<Schema extends z.ZodType>(schema: Schema, object: unknown): Parsed<z.output<Schema>> {
  const result = schema.safeParse(object, { error: describeIssue });
  return result.success
    ? { ok: true, value: result.data }
    : refuse(withoutEchoes(result.error.issues).flatMap(toIssues));
}

/** What is of the wrong type is not measured too: zod counts the characters of a text where a list is due. */
function withoutEchoes(issues: readonly z.core.$ZodIssue[]): readonly z.core.$ZodIssue[] {
  const mistyped = new Set(issues.flatMap(({ code, path }) => (code === "invalid_type" ? [fieldPath(path)] : [])));
  return issues.filter(({ code, path }) => code === "invalid_type" || !mistyped.has(fieldPath(path)));
}

/** A refusal with the first of the issues. */
export function refuse(issues: readonly Issue[]): Parsed<never> {
  if (issues.length <= MOST_ISSUES) return { ok: false, issues };
  const more = { field: "", message: "and more; put these right first" };
  return { ok: false, issues: [...issues.slice(0, MOST_ISSUES), more] };
}

function toIssues(issue: z.core.$ZodIssue): readonly Issue[] {
  const field = fieldPath(issue.path);
  if (issue.code !== "unrecognized_keys") return [{ field, message: issue.message }];
  return issue.keys.slice(0, MOST_ISSUES + 1).map((key) => ({ field: fieldOf(field, key), message: "unknown field" }));
}

/** Our words for what zod found; undefined = zod's own, or those that stand at the schema. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "too_big") return `must ${limit(issue.origin, "at most", Number(issue.maximum))}`;
  if (issue.code === "too_small") return `must ${limit(issue.origin, "at least", Number(issue.minimum))}`;
  if (issue.code === "unrecognized_keys") return undefined;
  if (issue.input === undefined) return "is required";
  if (issue.code === "invalid_type") return typeMessage(issue.expected, issue.input);
  if (issue.code === "invalid_value") return choiceMessage(issue.values, issue.input);
  return undefined;
}

/** Of what looks like a choice and is none, such as 502 without its quotes, the type is told too. */
function choiceMessage(values: readonly unknown[], input: unknown): string {
  const isText = typeof input === "string" || !values.every((value) => typeof value === "string");
  return isText ? `must be ${listChoices(values)}` : `${typeMessage("string", input)}: ${listChoices(values)}`;
}

function typeMessage(expected: string, input: unknown): string {
  const wanted = `must be ${NOUNS.get(expected) ?? expected}`;
  return expected === "int" && typeof input === "number" ? wanted : `${wanted}, not ${nameOf(input)}`;
}

function limit(origin: string, bound: string, count: number): string {
  if (origin === "string") return `have ${bound} ${count} ${count === 1 ? "character" : "characters"}`;
  if (origin === "array") return `have ${bound} ${count} ${count === 1 ? "item" : "items"}`;
  return `be ${bound} ${count}`;
}

function listChoices(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(" or ");
}

const NOUNS: ReadonlyMap<string, string> = new Map([
  ["int", "a whole number"],
  ["number", "a number"],
  ["string", "a text"],
  ["boolean", "true or false"],
  ["array", "a list"],
  ["object", "an object"],
  ["record", "an object"],
]);

function nameOf(input: unknown): string {
  if (input === null) return "null (leave the field out instead)";
  if (Array.isArray(input)) return "a list";
  return NOUNS.get(typeof input) ?? typeof input;
}
