import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { beforeAll, describe, expect, test } from "vitest";
import type { Manifest } from "../integration/fixtures/manifests.ts";
import { CHART, isHelmMissing, render } from "./chart.ts";
import { COMPARED_WITH, VALUE_CHANGES } from "./value-changes.ts";

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: unknown;
}

let text: string;
let schema: Schema;
beforeAll(async () => {
  text = await readFile(join(CHART, "values.yaml"), "utf8");
  schema = JSON.parse(await readFile(join(CHART, "values.schema.json"), "utf8")) as Schema;
});

describe("values.yaml", () => {
  test("explains every value in the line above it", () => {
    const lines = text.split("\n");
    // What stands below `resources` is Kubernetes' own.
    const values = lines.flatMap((line, index) => (/^ {0,2}[A-Za-z]+: *[^ ]/.test(line) ? [index] : []));
    const unexplained = values.filter((index) => !/^ *#/.test(lines[index - 1] ?? ""));
    expect(values.length).toBeGreaterThan(50);
    expect(unexplained.map((index) => lines[index])).toEqual([]);
  });

  test("and the schema know the same values", () => {
    const known = leavesOf(schema).filter((path) => path !== "global");
    const isResource = (path: string): boolean => path.startsWith("resources.");
    const given = leaves(parse(text)).filter((path) => !isResource(path));
    expect(known.filter((path) => !isResource(path)).toSorted()).toEqual(given.toSorted());
  });

  test("the schema describes every value", () => {
    const mute = allOf(schema, "").filter(([, { description }]) => description === undefined);
    expect(mute.map(([path]) => path)).toEqual([]);
  });

  test("each has a change to be tried", () => {
    expect(Object.keys(VALUE_CHANGES)).toEqual(leaves(parse(text)));
  });
});

describe.skipIf(isHelmMissing).concurrent("the chart uses", () => {
  let defaults: readonly Manifest[];
  beforeAll(async () => {
    defaults = await render();
  });

  test.for(Object.entries(VALUE_CHANGES))("%s", async ([path, values]) => {
    const other = COMPARED_WITH[path];
    const before = other === undefined ? defaults : await render({ values: other });
    expect(await render({ values })).not.toEqual(before);
  });
});

/** Paths of the values, without what is below empty maps and lists. */
function leaves(value: unknown, path = ""): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  const below = Object.entries(value).flatMap(([name, each]) => leaves(each, dotted(path, name)));
  return below.length === 0 ? [path] : below;
}

function leavesOf({ properties }: Schema, path = ""): readonly string[] {
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, each]) => leavesOf(each, dotted(path, name)));
}

function allOf(each: Schema, path: string): readonly (readonly [string, Schema])[] {
  const below = Object.entries(each.properties ?? {}).flatMap(([name, field]) => allOf(field, dotted(path, name)));
  return path === "" ? below : [[path, each] as const, ...below];
}

function dotted(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
