import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { ROUTE_EXAMPLE } from "../../scripts/generate-route-example.ts";
import { GENERATED_FILES } from "../../scripts/generated-files.ts";
import { type OpenApiSchema, parseWebSocketRoute, routeDefinition, routeSchema } from "../../src/api/index.ts";

const ROOT = join(import.meta.dirname, "../..");

test.for(GENERATED_FILES)("$path is what the source makes (else: npm run generate)", async ({ path, make }) => {
  expect(await readFile(join(ROOT, path), "utf8")).toBe(make());
});

test("the committed CRD says the same after YAML as before", async () => {
  const text = await readFile(join(ROOT, "crds/holdfast.dev_websocketroutes.yaml"), "utf8");
  expect(parse(text)).toEqual(routeDefinition());
});

describe("the example of the reference page", () => {
  test("is accepted", () => {
    expect(parseWebSocketRoute(parse(ROUTE_EXAMPLE))).toMatchObject({ ok: true });
  });

  test("shows every field", () => {
    const shown = new Set(pathsOf(parse(ROUTE_EXAMPLE).spec, "spec"));
    const known = fieldsOf(routeSchema().properties!["spec"]!, "spec");
    const hidden = known.filter(
      (path) => !shown.has(path) && !shown.has(path.replace("responseHeaders", "requestHeaders")),
    );
    expect(hidden).toEqual([]);
  });
});

function fieldsOf(schema: OpenApiSchema, path: string): readonly string[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => fieldsOf(field, `${path}.${name}`));
  return [path, ...below, ...(schema.items === undefined ? [] : fieldsOf(schema.items, `${path}[]`))];
}

function pathsOf(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => pathsOf(item, `${path}[]`))];
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, field]) => pathsOf(field, `${path}.${name}`))];
}
