import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { ROUTE_EXAMPLE } from "../../scripts/generate-route-example.ts";
import { parseWebSocketRoute } from "../../src/api/index.ts";
import { ROUTE_CASES } from "../schema/route-cases.ts";
import { ApiClient } from "./fixtures/api-client.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { dryRun } from "./fixtures/dry-run.ts";

let plane: ControlPlane;
let api: ApiClient;

beforeAll(async () => {
  plane = await ControlPlane.start({ controllerManager: "none" });
  await plane.installCrds();
  await plane.kubectl(["create", "namespace", "apps"]);
  api = new ApiClient(plane);
});

afterAll(async () => {
  api?.[Symbol.dispose]();
  await plane?.[Symbol.asyncDispose]();
});

type Fields = Record<string, unknown>;

/** Every value that stands anywhere in the table of cases, good and bad, so that a value often lands where it matters. */
const KNOWN_VALUES = [...new Set(ROUTE_CASES.flatMap(({ object }) => valuesIn((object as Fields)["spec"])))];

function valuesIn(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [value];
  return [...(Array.isArray(value) && value.length > 4 ? [] : [value]), ...Object.values(value).flatMap(valuesIn)];
}

const anyText = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.string({ unit: "binary-ascii" }));
/** Without null, in which a folder is stricter on purpose. */
const anyValue = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KNOWN_VALUES) },
  { weight: 2, arbitrary: anyText },
  { weight: 1, arbitrary: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>({}, [], [{}], [[]]) },
);
const change = fc.record({
  /** Which of its fields or items to enter, from the spec down. */
  turns: fc.array(fc.nat(20), { minLength: 1, maxLength: 7 }),
  what: fc.oneof(
    fc.constant({ remove: true } as const),
    fc.constant({ repeat: true } as const),
    anyValue.map((value) => ({ value })),
  ),
});
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

/** The example of the reference page, which has every field, with a few places spoilt. */
const route = fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
  const object = parse(ROUTE_EXAMPLE) as Fields;
  for (const each of changes) apply(object["spec"], each);
  return object;
});

function apply(holder: unknown, { turns: [turn = 0, ...turns], what }: Change): void {
  if (typeof holder !== "object" || holder === null) return;
  const keys = Object.keys(holder);
  const key = keys[turn % Math.max(keys.length, 1)];
  if (key === undefined) return;
  const fields = holder as Fields;
  if (turns.length > 0 && typeof fields[key] === "object") apply(fields[key], { turns, what });
  else if ("value" in what) fields[key] = structuredClone(what.value);
  else if ("remove" in what) remove(holder, key);
  else if (Array.isArray(holder)) holder.push(structuredClone(holder[Number(key)]));
}

function remove(holder: object, key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else Reflect.deleteProperty(holder, key);
}

const LISTED_TWICE = "is listed twice: list it once";

/** How the API server writes it: a strange name is not quoted. */
function plain(field: string): string {
  return field.replaceAll(/\["(.*?)"\]/g, ".$1");
}

test("an API server and a folder accept the same routes, fill in the same defaults, and refuse others at the same field", async () => {
  const counts = { accepted: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(route, async (object) => {
      const parsed = parseWebSocketRoute(object);
      const verdict = await dryRun(api, object);
      if (parsed.ok) {
        counts.accepted += 1;
        expect(verdict).toEqual({ ok: true, spec: parsed.value.spec, warnings: [] });
        return;
      }
      counts.refused += 1;
      if (verdict.ok) throw new Error(`a folder alone refuses: ${JSON.stringify(parsed.issues)}`);
      const ours = parsed.issues.map(({ field }) => plain(field));
      const theirs = verdict.causes.map(({ field }) => field);
      // Fields that do not exist end the server's reading: then ours name more, and the place for the fields below it.
      if (verdict.causes.some(({ reason }) => reason === "UnknownField")) {
        expect(theirs.filter((field) => !ours.some((place) => field.startsWith(place)))).toEqual([]);
        return;
      }
      // What stands in a list three times the server names once.
      const surely = parsed.issues.filter(({ message }) => message !== LISTED_TWICE).map(({ field }) => plain(field));
      expect(theirs).toEqual(expect.arrayContaining(surely));
      expect(theirs.some((field) => ours.includes(field))).toBe(true);
    }),
    { numRuns: 600 },
  );
  expect(counts.accepted).toBeGreaterThan(60);
  expect(counts.refused).toBeGreaterThan(60);
});
