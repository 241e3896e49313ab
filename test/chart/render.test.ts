import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { describe, expect, test } from "vitest";
import { routeDefinition } from "../../src/api/index.ts";
import { parseCli } from "../../src/app/cli.ts";
import { CHART, idOf, isHelmMissing, lint, only, render } from "./chart.ts";
import { type ChartShape, SHAPES } from "./shapes.ts";

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly Container[]; readonly volumes?: readonly object[] };
    };
  };
}

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts?: readonly object[];
}

async function container(shape: Partial<ChartShape>): Promise<Container> {
  const { spec } = only(await render(shape), "Deployment") as unknown as Deployment;
  return spec.template.spec.containers[0]!;
}

describe.skipIf(isHelmMissing).concurrent("the chart", () => {
  test.for(SHAPES)("$name is as its golden file says", async (shape) => {
    const objects = (await render(shape)).filter(({ kind }) => kind !== "CustomResourceDefinition");
    await expect(stringifyAll(objects)).toMatchFileSnapshot(`golden/${shape.name}.yaml`);
  });

  test.for(SHAPES)("$name passes helm lint --strict", async (shape) => {
    expect(await lint(shape)).toContain("0 chart(s) failed");
  });

  test.for(SHAPES)("$name starts the process with flags that it accepts", async (shape) => {
    const said: string[] = [];
    const output = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
    const { args } = await container(shape);
    expect(parseCli(args, "1.2.3", output), said.join("")).toMatchObject({
      kind: "run",
      config: { source: { kind: "kubernetes" }, http: { host: undefined, port: 8080 }, logFormat: "json" },
    });
  });

  test("the CRD is the one of crds/, kept when the release goes", async () => {
    const { metadata, ...rest } = only(await render(), "CustomResourceDefinition");
    const { metadata: plain, ...wanted } = routeDefinition() as { readonly metadata: { readonly name: string } };
    expect(rest).toEqual(wanted);
    expect(metadata).toMatchObject({ ...plain, annotations: { "helm.sh/resource-policy": "keep" } });
  });

  test("the versions are those of package.json", async () => {
    const { version } = JSON.parse(await readFile(join(CHART, "../../package.json"), "utf8")) as { version: string };
    expect(parse(await readFile(join(CHART, "Chart.yaml"), "utf8"))).toMatchObject({ version, appVersion: version });
  });

  test("a new version of the chart alone replaces no Pod", async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-chart-copy-"));
    try {
      await cp(CHART, folder, { recursive: true });
      const file = join(folder, "Chart.yaml");
      await writeFile(file, (await readFile(file, "utf8")).replace(/^version: .*/m, "version: 9.9.9+build.1"));
      const [before, after] = [only(await render(), "Deployment"), only(await render({}, folder), "Deployment")];
      expect(after["spec"]).toEqual(before["spec"]);
      expect(after["metadata"]).not.toEqual(before["metadata"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.for([
    { limit: "512Mi", flag: "--max-old-space-size=170" },
    { limit: "256Mi", flag: "--max-old-space-size=85" },
    { limit: "1Gi", flag: "--max-old-space-size=341" },
    { limit: "1.5Gi", flag: "--max-old-space-size=512" },
    { limit: "64Gi", flag: "--max-old-space-size=21845" },
  ])("a memory limit of $limit gives $flag", async ({ limit, flag }) => {
    const { env } = await container({ values: { resources: { limits: { memory: limit } } } });
    expect(env).toContainEqual({ name: "NODE_OPTIONS", value: flag });
  });

  test("without a memory limit Node decides", async () => {
    const { env } = await container({ values: { resources: { limits: null } } });
    expect(env.map(({ name }) => name)).not.toContain("NODE_OPTIONS");
  });

  test("the operators' socket is in memory that any user may write to, and on a path that the process is told", async () => {
    const { spec } = only(await render(), "Deployment") as unknown as Deployment;
    const [volume, ...others] = spec.template.spec.volumes ?? [];
    expect(others).toEqual([]);
    expect(volume).toEqual({ name: "run", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } });
    const { env, volumeMounts = [] } = spec.template.spec.containers[0]!;
    const path = env.find(({ name }) => name === "HOLDFAST_ADMIN_SOCKET")?.value ?? "";
    expect(volumeMounts).toEqual([{ name: "run", mountPath: dirname(path) }]);
  });

  test("without it there is neither a variable nor a volume", async () => {
    const { spec } = only(await render({ values: { adminSocket: false } }), "Deployment") as unknown as Deployment;
    expect(JSON.stringify(spec)).not.toMatch(/ADMIN_SOCKET|"volumes"|"volumeMounts"/);
  });

  test("a variable of the user's replaces the chart's own, since a Pod may name each only once", async () => {
    const given = { name: "NODE_OPTIONS", value: "--max-old-space-size=300" };
    const { env } = await container({ values: { extraEnv: [given] } });
    expect(env.filter(({ name }) => name === "NODE_OPTIONS")).toEqual([given]);
  });

  test.for([true, false])(
    "the key for affinity is mounted whole and for reading, socket or not (%s)",
    async (adminSocket) => {
      const shape = { values: { adminSocket, affinityKey: { existingSecret: "my-key" } } };
      const { spec } = only(await render(shape), "Deployment") as unknown as Deployment;
      const { args, volumeMounts } = await container(shape);
      expect(args).toContain("--affinity-key=/etc/holdfast/affinity-key");
      const mount = { name: "affinity-key", mountPath: "/etc/holdfast/affinity-key", readOnly: true };
      expect(volumeMounts).toContainEqual(mount);
      expect(spec.template.spec.volumes).toContainEqual({ name: "affinity-key", secret: { secretName: "my-key" } });
      expect(spec.template.spec.volumes).toHaveLength(adminSocket ? 2 : 1);
    },
  );

  test("no Secret is ever made: a new key would move every client", async () => {
    for (const shape of SHAPES) expect((await render(shape)).map(({ kind }) => kind)).not.toContain("Secret");
  });

  test("a restriction to namespaces leaves no right on the cluster", async () => {
    const values = { watchNamespaces: ["apps"], crds: { install: false }, ingressClass: { create: false } };
    const objects = await render({ values });
    expect(objects.filter(({ kind }) => String(kind).startsWith("Cluster"))).toEqual([]);
    expect(objects.map(idOf)).toContain("Role apps/holdfast:ingress:holdfast");
  });

  test("the admin port is in no Service", async () => {
    for (const { values } of SHAPES) {
      const services = (await render({ values })).filter(({ kind }) => kind === "Service");
      expect(JSON.stringify(services.map(({ spec }) => (spec as { ports: unknown }).ports))).not.toMatch(/admin|9090/);
    }
  });
});

function stringifyAll(objects: readonly object[]): string {
  return objects.map((object) => `---\n${stringify(object, { lineWidth: 120 })}`).join("");
}
