import { glob, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { ROUTE_EXAMPLE } from "../../scripts/generate-route-example.ts";
import { type OpenApiSchema, parseWebSocketRoute, routeSchema } from "../../src/api/index.ts";
import { ControlPlane } from "./fixtures/control-plane.ts";

const ROOT = resolve(import.meta.dirname, "../..");
let plane: ControlPlane;

beforeAll(async () => {
  plane = await ControlPlane.start({ controllerManager: "none" });
  await plane.installCrds();
  // What kubectl explains is published some time after the CRD is served.
  await vi.waitFor(() => plane.kubectl(["explain", "wsr"]), { timeout: 60_000, interval: 200 });
});

afterAll(() => plane?.[Symbol.asyncDispose]());

/** What OpenAPI says of a level, as kubectl explain prints it; without the blanks that it leaves at the ends of lines. */
async function explain(path: string): Promise<string> {
  const text = await plane.kubectl(["explain", path]);
  return text.replaceAll(/ +$/gm, "").trimEnd() + "\n";
}

describe("kubectl explain", () => {
  test.for([
    "wsr",
    "wsr.spec",
    "wsr.spec.rules",
    "wsr.spec.rules.matches",
    "wsr.spec.rules.drain",
    "wsr.spec.rules.loadBalancing",
    "wsr.spec.rules.affinity.cookie",
    "wsr.spec.rules.health",
    "wsr.spec.rules.health.passive",
    "wsr.spec.rules.health.active",
    "wsr.spec.rules.retry",
    "wsr.spec.rules.admission",
    "wsr.spec.rules.admission.queue",
    "wsr.status",
  ])("of %s reads as it stands in the golden", async (path) => {
    await expect(await explain(path)).toMatchFileSnapshot(`golden/explain.${path}.txt`);
  });

  test("has words for every field at every level", async () => {
    const levels = objectsIn("wsr", routeSchema()).filter(({ path }) => path !== "wsr.metadata");
    expect(levels.length).toBeGreaterThan(12);
    for (const { path, fields } of levels) {
      // After a field's line come its words, deeper.
      const blocks = (await explain(path)).split("FIELDS:\n")[1]?.split(/\n(?= {2}\w+\t)/) ?? [];
      const explained = blocks
        .filter((block) => /\n {4}\S.{9}/.test(block) && !block.includes("<no description>"))
        .map((block) => block.trim().split(/\s/)[0] ?? "");
      expect({ path, explained }).toEqual({ path, explained: fields.toSorted() });
    }
  });
});

interface Level {
  readonly path: string;
  readonly fields: readonly string[];
}

function objectsIn(path: string, schema: OpenApiSchema): readonly Level[] {
  if (schema.items !== undefined) return objectsIn(path, schema.items);
  if (schema.type !== "object") return [];
  const properties = Object.entries(schema.properties ?? {});
  const below = properties.flatMap(([name, field]) => objectsIn(`${path}.${name}`, field));
  return [{ path, fields: properties.map(([name]) => name) }, ...below];
}

function route(name: string, spec: object): object {
  const rules = [{ backendRefs: [{ name: "chat", port: 80 }] }];
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "WebSocketRoute",
    metadata: { name, namespace: "columns" },
    spec: { rules, ...spec },
  };
}

describe("kubectl get wsr", () => {
  test("prints hosts, whether it is accepted and programmed, how many backends are ready, and the age", async () => {
    await plane.kubectl(["create", "namespace", "columns"]);
    await plane.apply([route("new", {}), route("served", { hostnames: ["chat.example.com", "*.example.com"] })]);
    const condition = { reason: "R", message: "", lastTransitionTime: new Date().toISOString() };
    const status = {
      backends: { ready: 3, draining: 1 },
      conditions: [
        { type: "Accepted", status: "True", ...condition },
        { type: "ResolvedRefs", status: "Unknown", ...condition },
        { type: "Programmed", status: "False", ...condition },
      ],
    };
    const patch = ["patch", "wsr", "served", "-n", "columns", "--subresource=status", "--type=merge"];
    await plane.kubectl([...patch, "-p", JSON.stringify({ status })]);
    const table = (await plane.kubectl(["get", "wsr", "-n", "columns"]))
      .split("\n")
      .map((line) => line.split(/\s{2,}/));
    const age = expect.stringMatching(/^\d+s$/);
    expect(table).toEqual([
      ["NAME", "HOSTS", "ACCEPTED", "PROGRAMMED", "READY", "AGE"],
      // Nobody has looked at it yet.
      ["new", age],
      ["served", '["chat.example.com","*.example.com"]', "True", "False", "3", age],
      [""],
    ]);
  });

  test("finds routes by every name that the CRD gives them", async () => {
    for (const name of [
      "wsr",
      "websocketroute",
      "websocketroutes",
      "holdfast",
      "websocketroutes.v1alpha1.holdfast.dev",
    ]) {
      expect(await plane.kubectl(["get", name, "-n", "columns", "-o", "name"])).toContain(
        "websocketroute.holdfast.dev/served\n",
      );
    }
  });
});

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Example {
  readonly name: string;
  readonly objects: readonly KubernetesObject[];
}

/** Complete objects alone: a page may show a part of one. */
function objectsOf(text: string): readonly KubernetesObject[] {
  const values: readonly unknown[] = parseAllDocuments(text).map((document) => document.toJS());
  return values.filter(
    (value) => typeof value === "object" && value !== null && "kind" in value && "metadata" in value,
  ) as KubernetesObject[];
}

async function readExamples(): Promise<readonly Example[]> {
  const examples: Example[] = [];
  for await (const file of glob(["examples/**/*.{yaml,yml}", "docs/**/*.md", "README.md"], { cwd: ROOT })) {
    const text = await readFile(join(ROOT, file), "utf8");
    const blocks = file.endsWith(".md")
      ? [...text.matchAll(/^```ya?ml\n(.*?)^```/gms)].map(([, body = ""]) => body)
      : [text];
    const objects = blocks.flatMap(objectsOf);
    if (objects.length > 0) examples.push({ name: file, objects });
  }
  return examples;
}

const EXAMPLES = await readExamples();

describe("server-side apply takes what we show", () => {
  test("all examples are found", () => {
    expect(EXAMPLES.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["docs/reference/websocketroute.md", "examples/demo/manifests/chat-route.yaml"]),
    );
  });

  test.for(EXAMPLES)("in $name", async ({ objects }) => {
    const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace ?? "default"));
    await plane.apply([...namespaces].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })));
    await plane.apply(objects.map(withAddressesOfClusters));
    for (const { kind, metadata } of objects) {
      const found = ["get", kind, metadata.name, "-n", metadata.namespace ?? "default", "-o", "name"];
      expect(await plane.kubectl(found)).toContain(metadata.name);
    }
  });

  test("every word of the reference page's example, read by kubectl itself, which reads YAML 1.1", async () => {
    await plane.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: "apps" } }]);
    const args = ["apply", "--server-side", "--dry-run=server", "--force-conflicts", "-o", "json", "-f", "-"];
    const { spec } = JSON.parse(await plane.kubectl(args, ROUTE_EXAMPLE)) as { readonly spec: unknown };
    expect(parseWebSocketRoute(parse(ROUTE_EXAMPLE))).toMatchObject({ ok: true, value: { spec } });
  });

  test("a route that was written out of a cluster, with all that others added, a folder and a cluster read again", async () => {
    await plane.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: "columns" } }, route("out", {})]);
    const get = ["get", "wsr", "out", "-n", "columns", "-o", "json"];
    const whole = JSON.parse(await plane.kubectl([...get, "--show-managed-fields"])) as KubernetesObject;
    expect(whole.metadata).toHaveProperty("managedFields");
    expect(parseWebSocketRoute(whole)).toMatchObject({ ok: true });
    await plane.apply([JSON.parse(await plane.kubectl(get)) as KubernetesObject]);
  });
});

/** A demonstration on one machine has only loopback addresses, which an API server refuses in slices. */
function withAddressesOfClusters(object: KubernetesObject): KubernetesObject {
  if (object.kind !== "EndpointSlice") return object;
  return JSON.parse(JSON.stringify(object).replaceAll('"127.0.0.', '"198.18.0.')) as KubernetesObject;
}
