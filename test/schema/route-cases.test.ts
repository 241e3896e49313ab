import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ROUTE_EXAMPLE } from "../../scripts/generate-route-example.ts";
import { type OpenApiSchema, parseWebSocketRoute, routeSchema } from "../../src/api/index.ts";
import { FOLDER_CASES, ROUTE_CASES, type RouteCase } from "./route-cases.ts";

function runs({ object, wantIssues }: RouteCase): void {
  const parsed = parseWebSocketRoute(object);
  const want = wantIssues.map(({ field, message }) => ({ field, message }));
  expect(parsed.ok ? [] : parsed.issues).toEqual(want);
  expect(parsed.ok).toBe(want.length === 0);
}

describe("a WebSocketRoute, in a cluster and in a folder", () => {
  test.for(ROUTE_CASES)("$name", runs);
});

describe("a WebSocketRoute in a folder", () => {
  test.for(FOLDER_CASES)("$name", runs);
});

/** Something that the schema refuses; without a message it is a bound, which may be said in several ways. */
interface Refusal {
  readonly place: string;
  readonly message: string | undefined;
}

/** Everything that the schema promises to refuse: by place, and for CEL by message. */
function refusalsOf(schema: OpenApiSchema, place: string): readonly Refusal[] {
  const cel = (schema["x-kubernetes-validations"] ?? []).map(({ message, fieldPath = "" }) => ({
    place: place + fieldPath,
    message,
  }));
  const unique = ["set", "map"].includes(schema["x-kubernetes-list-type"] ?? "");
  const own: Refusal[] = [
    ...cel,
    ...(unique ? [{ place: `${place}[]`, message: "is listed twice: list it once" }] : []),
    ...(isBounded(schema) ? [{ place, message: undefined }] : []),
  ];
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    refusalsOf(field, `${place}.${name}`),
  );
  return [...own, ...below, ...(schema.items === undefined ? [] : refusalsOf(schema.items, `${place}[]`))];
}

function isBounded({ pattern, enum: choices, maximum, maxItems }: OpenApiSchema): boolean {
  return [pattern, choices, maximum, maxItems].some((bound) => bound !== undefined);
}

test("every rule and every bounded field of the schema has a case that breaks it", () => {
  const spec = routeSchema().properties?.["spec"];
  expect(spec).toBeDefined();
  const refusals = refusalsOf(spec!, "spec");
  const broken = ROUTE_CASES.flatMap(({ wantIssues }) =>
    wantIssues.map(({ field, message }) => ({ place: field.replaceAll(/\[\d+\]/g, "[]"), message })),
  );
  const untested = refusals.filter(
    ({ place, message }) =>
      !broken.some((issue) => issue.place === place && (message === undefined || issue.message === message)),
  );
  expect(refusals.length).toBeGreaterThan(50);
  expect(untested).toEqual([]);
});

test("an unknown field is refused in every object of a spec", () => {
  const example = parse(ROUTE_EXAMPLE);
  const places = objectsOf(example.spec, "spec");
  for (const { object, path } of places) {
    object["typo"] = 1;
    expect(parseWebSocketRoute(example)).toEqual({
      ok: false,
      issues: [{ field: `${path}.typo`, message: "unknown field" }],
    });
    delete object["typo"];
  }
  expect(places.length).toBeGreaterThan(15);
});

/** Every object below a value, itself included. */
function objectsOf(value: unknown, path: string): readonly { object: Record<string, unknown>; path: string }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => objectsOf(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  const object = value as Record<string, unknown>;
  return [{ object, path }, ...Object.entries(object).flatMap(([name, field]) => objectsOf(field, `${path}.${name}`))];
}

test("names of cases are unique, so that a failure names one", () => {
  const names = ROUTE_CASES.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
