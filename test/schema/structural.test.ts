import { Environment } from "@marcbachmann/cel-js";
import { describe, expect, test } from "vitest";
import { type OpenApiSchema, routeSchema } from "../../src/api/index.ts";

interface Place {
  readonly path: string;
  readonly schema: OpenApiSchema;
}

function placesOf(path: string, schema: OpenApiSchema): readonly Place[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => placesOf(`${path}.${name}`, field));
  const items = schema.items === undefined ? [] : placesOf(`${path}[]`, schema.items);
  return [{ path, schema }, ...below, ...items];
}

const { spec, status } = routeSchema().properties ?? {};
/** What is ours; `metadata`, `kind` and `apiVersion` are Kubernetes' own. */
const PLACES = [...placesOf("spec", spec!), ...placesOf("status", status!)];
const failing = (holds: (schema: OpenApiSchema) => boolean) =>
  PLACES.filter(({ schema }) => !holds(schema)).map(({ path }) => path);

describe("the schema of a WebSocketRoute is one that an API server takes", () => {
  test("has only words that a structural schema may have", () => {
    const words = new Set(
      [
        ["type", "description", "default", "properties", "required", "items", "enum", "format", "pattern"],
        ["minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"],
        ["x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"],
      ].flat(),
    );
    const strange = PLACES.flatMap(({ path, schema }) =>
      Object.keys(schema)
        .filter((word) => !words.has(word))
        .map((word) => `${path}: ${word}`),
    );
    expect(strange).toEqual([]);
  });

  test("has a single type in every place", () => {
    expect(failing(({ type }) => ["object", "array", "string", "integer", "boolean"].includes(type))).toEqual([]);
  });

  test("says nothing of metadata but its type", () => {
    expect(routeSchema().properties?.["metadata"]).toEqual({ type: "object" });
  });

  test("requires only fields that it knows, and none that has a default", () => {
    const isRight = ({ required = [], properties = {} }: OpenApiSchema) =>
      required.every((name) => properties[name] !== undefined && properties[name].default === undefined);
    expect(failing(isRight)).toEqual([]);
  });

  test("has lists by key only where the key is a required text", () => {
    const isRight = ({ items, ...schema }: OpenApiSchema) =>
      (schema["x-kubernetes-list-map-keys"] ?? []).every(
        (key) => items?.required?.includes(key) === true && items.properties?.[key]?.type === "string",
      );
    expect(failing(isRight)).toEqual([]);
  });
});

/** Scalars that YAML 1.1 reads as true, false or null, as kubectl and Helm do: a field `on` would be a field `true`. */
const NO_TEXT_IN_YAML_1_1 = /^(y|n|yes|no|on|off|true|false|null|~)$/i;

test("no field and no choice has a name that kubectl would take for something else", () => {
  const inSpec = placesOf("spec", spec!);
  const names = inSpec.flatMap(({ schema }) => [...Object.keys(schema.properties ?? {}), ...(schema.enum ?? [])]);
  expect(names).toContain("retry");
  expect(names).toContain("Connect");
  expect(names.filter((name) => NO_TEXT_IN_YAML_1_1.test(name))).toEqual([]);
});

describe("the schema of a WebSocketRoute bounds and explains everything", () => {
  test("every field has a description", () => {
    expect(failing(({ description = "" }) => description.length >= 10 && description.endsWith("."))).toEqual([]);
  });

  test("every text is one of a few words or has a greatest length", () => {
    expect(
      failing(
        ({ type, enum: choices, maxLength }) => type !== "string" || choices !== undefined || maxLength !== undefined,
      ),
    ).toEqual([]);
  });

  test("every list has a greatest length and a list type", () => {
    const isRight = (schema: OpenApiSchema) =>
      schema.type !== "array" || (schema.maxItems !== undefined && schema["x-kubernetes-list-type"] !== undefined);
    expect(failing(isRight)).toEqual([]);
  });

  test("every number has both bounds", () => {
    expect(
      failing(({ type, minimum, maximum }) => type !== "integer" || (minimum !== undefined && maximum !== undefined)),
    ).toEqual([]);
  });
});

/** Patterns that Go's RE2 does not have: lookarounds, references, possessive and atomic groups. */
const NOT_RE2 = /\(\?(?!i:|:)|\\[1-9k]|[*+?}]\+/;
const CHARACTER_CLASS = /\[(\\.|[^\]\\])+\]/g;

test("every pattern is one that RE2 and JavaScript read alike", () => {
  const inRules = PLACES.flatMap(({ schema }) => schema["x-kubernetes-validations"] ?? []).map(({ rule }) => rule);
  const patterns = PLACES.flatMap(({ schema }) => schema.pattern ?? []);
  expect(patterns.length).toBeGreaterThan(10);
  expect([...patterns, ...inRules].filter((text) => NOT_RE2.test(text.replaceAll(CHARACTER_CLASS, "x")))).toEqual([]);
});

const RULES = PLACES.flatMap(({ path, schema }) =>
  (schema["x-kubernetes-validations"] ?? []).map((rule) => ({ path, schema, ...rule })),
);

/** `self` with the fields and types of its place: a misspelt field is a type error, as it is in the API server. */
function typedSelf(schema: OpenApiSchema): Environment {
  const env = new Environment();
  let count = 0;
  const typeOf = (at: OpenApiSchema): string => {
    if (at.type === "array") return `list<${typeOf(at.items!)}>`;
    if (at.type !== "object") return { string: "string", integer: "int", boolean: "bool" }[at.type];
    const fields = Object.fromEntries(
      Object.entries(at.properties ?? {}).map(([name, field]) => [name, typeOf(field)]),
    );
    count += 1;
    env.registerType(`Type${count}`, { fields });
    return `Type${count}`;
  };
  return env.registerVariable("self", typeOf(schema));
}

describe("every CEL rule", () => {
  test.for(RULES.filter(({ schema }) => schema.default !== undefined))(
    "holds of the default of $path as it is written, before the fields of it get theirs: $rule",
    ({ rule, schema }) => {
      const self = new Environment().registerVariable("self", "dyn").parse(rule);
      expect(self({ self: schema.default })).toBe(true);
    },
  );

  test.for(RULES)("compiles against the types of $path: $rule", ({ schema, rule }) => {
    expect(typedSelf(schema).check(rule)).toEqual({ valid: true, type: "bool" });
  });

  test.for(RULES)("says what to do, at a field that exists: $path: $message", ({ path, message, fieldPath = "" }) => {
    expect(message.length).toBeGreaterThan(15);
    expect(message).not.toContain("\n");
    expect(PLACES.map((place) => place.path)).toContain(path + fieldPath);
  });

  test("is type-checked here: a misspelt field is found", () => {
    const rule = RULES.find(({ path }) => path === "spec.rules[]")!;
    expect(
      typedSelf(rule.schema).check("has(self.rewrit)").valid &&
        typedSelf(rule.schema).check("self.rewrit.path.type == 'a'").valid,
    ).toBe(false);
  });
});
