import { expect, test } from "vitest";
import { z } from "zod";
import { fieldPath } from "./field-path.ts";
import { parseWebSocketRoute } from "./parse-route.ts";
import { parseBy } from "./parsed.ts";
import { dnsLabel } from "./kubernetes-names.ts";

test.for([
  { name: "the object itself", segments: [], want: "" },
  { name: "a field", segments: ["spec"], want: "spec" },
  {
    name: "fields and items",
    segments: ["spec", "rules", 0, "matches", 12, "path"],
    want: "spec.rules[0].matches[12].path",
  },
  {
    name: "a name that cannot stand behind a dot",
    segments: ["metadata", "labels", "a/b"],
    want: 'metadata.labels["a/b"]',
  },
  { name: "only the beginning of a long name", segments: ["x".repeat(99)], want: `["${"x".repeat(64)}…"]` },
])("a field path shows $name", ({ segments, want }) => {
  expect(fieldPath(segments)).toBe(want);
});

test.for([
  { object: undefined, want: "is required" },
  { object: null, want: "must be an object, not null (leave the field out instead)" },
  { object: "route", want: "must be an object, not a text" },
  { object: 7, want: "must be an object, not a number" },
  { object: true, want: "must be an object, not true or false" },
  { object: [], want: "must be an object, not a list" },
])("$object is no route", ({ object, want }) => {
  expect(parseWebSocketRoute(object)).toEqual({ ok: false, issues: [{ field: "", message: want }] });
});

test("a pattern never runs over a text that is too long", () => {
  const parsed = parseBy(dnsLabel, `${"a".repeat(10_000_000)}!`);
  expect(parsed).toEqual({ ok: false, issues: [{ field: "", message: "must have at most 63 characters" }] });
});

test("a hostile object gives a short list of issues", () => {
  const names = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`f${i}`, i]));
  const parsed = parseWebSocketRoute({ ...names, spec: { hostnames: Array.from({ length: 100_000 }, () => 1) } });
  expect(parsed.ok).toBe(false);
  if (!parsed.ok) expect(parsed.issues.length).toBe(33);
});

test("what is of the wrong type gets one issue, not its measures too", () => {
  const route = {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name: "chat" },
    spec: { rules: "a text that is longer than sixteen characters" },
  };
  expect(parseWebSocketRoute(route)).toEqual({
    ok: false,
    issues: [{ field: "spec.rules", message: "must be a list, not a text" }],
  });
});

test("a number where a text of a few is due is told apart from a text that is none of them", () => {
  const choice = z.enum(["502", "Connect"]);
  const messageOf = (value: unknown): unknown => {
    const parsed = parseBy(choice, value);
    return parsed.ok ? undefined : parsed.issues;
  };
  const wanted = '"502" or "Connect"';
  expect(messageOf("504")).toEqual([{ field: "", message: `must be ${wanted}` }]);
  expect(messageOf(502)).toEqual([{ field: "", message: `must be a text, not a number: ${wanted}` }]);
  expect(messageOf(undefined)).toEqual([{ field: "", message: "is required" }]);
});
