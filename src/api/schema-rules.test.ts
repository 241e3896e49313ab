import { expect, test } from "vitest";
import type { OpenApiSchema } from "./open-api.ts";
import { compileRules } from "./schema-rules.ts";

const NAMES: OpenApiSchema = {
  type: "object",
  properties: {
    names: {
      type: "array",
      "x-kubernetes-list-type": "set",
      items: { type: "string", "x-kubernetes-validations": [{ rule: "self != 'no'", message: "must not be no" }] },
    },
    other: { type: "string" },
  },
  "x-kubernetes-validations": [
    { rule: "!has(self.other) || self.other in self.names", message: "must be one of names", fieldPath: ".other" },
  ],
};

test.for([
  { name: "nothing on a value that keeps every rule", value: { names: ["a", "b"], other: "b" }, want: [] },
  { name: "nothing on an optional part that is not there", value: { names: ["a"] }, want: [] },
  {
    name: "each item that breaks a rule",
    value: { names: ["a", "no", "b", "no"] },
    want: [
      { field: "spec.names[3]", message: "is listed twice: list it once" },
      { field: "spec.names[1]", message: "must not be no" },
      { field: "spec.names[3]", message: "must not be no" },
    ],
  },
  {
    name: "the field that a rule between fields is about",
    value: { names: ["a"], other: "c" },
    want: [{ field: "spec.other", message: "must be one of names" }],
  },
  {
    name: "a rule that fails instead of answering",
    value: { other: "c" },
    want: [{ field: "spec.other", message: "must be one of names" }],
  },
])("says $name", ({ value, want }) => {
  expect(compileRules(NAMES)(value, "spec")).toEqual(want);
});

test("a rule that does not parse fails at once, not at the first object", () => {
  const schema: OpenApiSchema = { type: "string", "x-kubernetes-validations": [{ rule: "self ==", message: "no" }] };
  expect(() => compileRules(schema)).toThrow();
});

test("a list that is a map by a key holds each key once", () => {
  const schema: OpenApiSchema = {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    items: { type: "object" },
  };
  const check = compileRules(schema);
  expect(check([{ name: "a" }, { name: "A" }], "l")).toEqual([]);
  expect(check([{ name: "a" }, { name: "b" }, { name: "a" }], "l").map(({ field }) => field)).toEqual(["l[2]"]);
});
