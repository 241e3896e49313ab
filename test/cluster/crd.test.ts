import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ROUTE_EXAMPLE } from "../../scripts/generate-route-example.ts";
import { parseWebSocketRoute } from "../../src/api/index.ts";
import { FOLDER_CASES, ROUTE_CASES, type RouteCase } from "../schema/route-cases.ts";
import { ApiClient } from "./fixtures/api-client.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";
import { dryRun, reasonOf, type Verdict } from "./fixtures/dry-run.ts";
import { LARGEST_ROUTE } from "./fixtures/largest-route.ts";

const ROUTES = "/apis/holdfast.dev/v1alpha1/namespaces/apps/websocketroutes";
const CRD = "websocketroutes.holdfast.dev";
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

interface CrdCondition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

function causesOf(verdict: Verdict): readonly { field: string; reason: string; message: string }[] {
  return verdict.ok ? [] : verdict.causes;
}

/** The spec as parseWebSocketRoute reads it, defaults filled in. */
function readSpec(object: unknown): unknown {
  const parsed = parseWebSocketRoute(object);
  if (!parsed.ok) throw new Error(`not accepted: ${JSON.stringify(parsed.issues)}`);
  return parsed.value.spec;
}

describe("the CRD", () => {
  test("is established: structural, its names free, its CEL rules within their cost", async () => {
    const conditions = JSON.parse(
      await plane.kubectl(["get", "crd", CRD, "-o", "jsonpath={.status.conditions}"]),
    ) as readonly CrdCondition[];
    const said = Object.fromEntries(conditions.map(({ type, status }) => [type, status]));
    expect(said).toEqual({ NamesAccepted: "True", Established: "True" });
  });

  test("takes a route with every list full: its rules cost at run time what they may", async () => {
    expect(await dryRun(api, LARGEST_ROUTE)).toMatchObject({ ok: true });
  });

  test("raises the generation for a spec, not for a status, which is a subresource", async () => {
    const generationAfter = async (url: string, patch: object): Promise<unknown> => {
      const contentType = "application/merge-patch+json";
      const { body } = await api.ask({ method: "PATCH", path: url, body: patch, contentType });
      return (body as { metadata: { generation: number } }).metadata.generation;
    };
    await api.ask({ method: "POST", path: ROUTES, body: parse(ROUTE_EXAMPLE) });
    const status = { observedGeneration: 1, backends: { ready: 2, draining: 0 } };
    expect(await generationAfter(`${ROUTES}/chat/status`, { status, spec: { hostnames: ["b.example"] } })).toBe(1);
    expect(await generationAfter(`${ROUTES}/chat`, { metadata: { labels: { a: "b" } }, status: {} })).toBe(1);
    expect(await generationAfter(`${ROUTES}/chat`, { spec: { hostnames: ["b.example"] } })).toBe(2);
    const { body } = await api.ask({ method: "GET", path: `${ROUTES}/chat` });
    expect(body).toMatchObject({ spec: { hostnames: ["b.example"] }, status });
    // Later tests create routes of this name.
    expect((await api.ask({ method: "DELETE", path: `${ROUTES}/chat` })).status).toBe(200);
  });
});

const ACCEPTED = ROUTE_CASES.filter(({ wantIssues }) => wantIssues.length === 0);
const REFUSED = ROUTE_CASES.filter(({ wantIssues }) => wantIssues.length > 0);

describe("an API server, as a folder", () => {
  test.for(ACCEPTED)("$name, with the same defaults", async ({ object }) => {
    expect(await dryRun(api, object)).toEqual({ ok: true, spec: readSpec(object), warnings: [] });
  });

  test.for(REFUSED)("$name, at the same field", async ({ object, wantIssues }) => {
    const causes = causesOf(await dryRun(api, object));
    const inItsWords = wantIssues.filter(({ by }) => by !== "cel");
    const inOurs = wantIssues.filter(({ by }) => by === "cel");
    const named = causes.map(({ field, reason }) => ({ field, reason }));
    for (const issue of inItsWords) expect(named).toContainEqual({ field: issue.field, reason: reasonOf(issue) });
    // Beside a shape that is wrong the server may add rules that the value breaks as well; otherwise it says no more.
    if (inItsWords.some(({ by }) => by === "shape")) return;
    expect(causes).toHaveLength(wantIssues.length);
    // The server puts the value first, or only its own words, and a colon.
    const said = causes.map(({ field, message }) => ({
      field,
      message: `: ${message.split(": ").slice(1).join(": ")}`,
    }));
    for (const { field, message } of inOurs) {
      expect(said).toContainEqual({ field, message: expect.stringMatching(endsWith(`: ${message}`)) });
    }
  });
});

function endsWith(text: string): RegExp {
  return new RegExp(`${text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
}

const UNKNOWN = FOLDER_CASES.filter(({ wantIssues }) => wantIssues.some(({ message }) => message === "unknown field"));
const NULL = FOLDER_CASES.filter(({ wantIssues }) => wantIssues.some(({ message }) => message.includes("null (")));
const OTHER = FOLDER_CASES.filter((row) => !UNKNOWN.includes(row) && !NULL.includes(row));

describe("an API server, stricter and laxer than a folder", () => {
  test.for(UNKNOWN)("by strict validation of fields, kubectl's default, $name", async ({ object, wantIssues }) => {
    const want = wantIssues.filter(({ message }) => message === "unknown field").map(({ field }) => plainField(field));
    const fields = causesOf(await dryRun(api, object)).map(({ field }) => field);
    expect(fields).toEqual(expect.arrayContaining(want));
  });

  test.for(UNKNOWN)("without it accepts, and drops, what a folder $name", async ({ object, wantIssues }) => {
    const lax = await dryRun(api, object, "Ignore");
    expect(lax).toMatchObject({ ok: true, warnings: [] });
    const fields = wantIssues.map(({ field }) => plainField(field)).filter((field) => field.startsWith("spec."));
    for (const field of fields) expect(lax).not.toHaveProperty(field);
    const warned = await dryRun(api, object, "Warn");
    expect(warned).toMatchObject({ ok: true, warnings: expect.arrayContaining([expect.stringContaining("unknown")]) });
  });

  test("drops a null in place of a field, and refuses it in place of an item; a folder refuses both", async () => {
    const verdicts = await Promise.all(NULL.map(async ({ object }) => (await dryRun(api, object)).ok));
    const isItem = NULL.map(({ wantIssues }) => wantIssues[0]?.field.endsWith("]"));
    expect(verdicts).toEqual(isItem.map((item) => item !== true));
    expect(new Set(verdicts).size).toBe(2);
  });

  test.for(OTHER)("by other means $name", async ({ object, wantIssues }) => {
    const { status } = await api.ask({ method: "POST", path: `${ROUTES}?dryRun=All`, body: object });
    if (wantIssues.length === 0) expect(status).toBe(201);
    else expect([400, 422]).toContain(status);
  });
});

/** The server writes a strange name without quotes. */
function plainField(field: string): string {
  return field.replace('["', ".").replace('"]', "");
}

test("the rows that a folder alone knows are all told apart", () => {
  const rows: readonly RouteCase[] = [...UNKNOWN, ...NULL, ...OTHER];
  expect(rows).toHaveLength(FOLDER_CASES.length);
  expect([UNKNOWN.length, NULL.length, OTHER.length].every((count) => count > 2)).toBe(true);
});
