import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import { lacks } from "../cluster/fixtures/cluster-tools.ts";
import { helm } from "../cluster/fixtures/helm.ts";
import type { Manifest } from "../integration/fixtures/manifests.ts";
import type { ChartShape } from "./shapes.ts";

/** The chart's folder. */
export const CHART = resolve(import.meta.dirname, "../../charts/holdfast");

/** A missing helm is an error where everything must run, and a skip by name elsewhere. */
export const isHelmMissing = lacks("helm") && process.env["CI"] !== "true";

const DEFAULT: ChartShape = { name: "default", release: "holdfast", namespace: "ingress", values: {} };

/** What the chart makes of the values: every object, the CRD too. Rejects with Helm's words when it refuses them. */
export async function render(shape: Partial<ChartShape> = {}, chart = CHART): Promise<readonly Manifest[]> {
  const { release, namespace } = { ...DEFAULT, ...shape };
  const text = await withValues(shape, (file) => helm(["template", release, chart, "-n", namespace, "-f", file]));
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  const broken = documents.flatMap(({ errors }) => errors);
  if (broken.length > 0) throw new Error(`the chart renders YAML that is none: ${broken.join("; ")}`);
  return documents.map((document) => document.toJS() as Manifest | null).filter((object) => object !== null);
}

/** What Helm prints after an installation. */
export async function notes(shape: Partial<ChartShape> = {}): Promise<string> {
  const { release, namespace } = { ...DEFAULT, ...shape };
  const args = ["install", release, CHART, "-n", namespace, "--dry-run=client", "--kubeconfig", "/dev/null"];
  const text = await withValues(shape, (file) => helm([...args, "-f", file]));
  return text.slice(text.indexOf("\nNOTES:\n") + "\nNOTES:\n".length);
}

/** Runs `helm lint --strict`; rejects with what it found. */
export async function lint(shape: ChartShape): Promise<string> {
  return withValues(shape, (file) => helm(["lint", "--strict", CHART, "-n", shape.namespace, "-f", file]));
}

/** The one object of that kind. */
export function only(objects: readonly Manifest[], kind: string): Manifest {
  const [object, ...more] = objects.filter((each) => each["kind"] === kind);
  if (object === undefined || more.length > 0) throw new Error(`${more.length + (object ? 1 : 0)} objects of ${kind}`);
  return object;
}

/** `Kind namespace/name`, by which no two objects of a cluster may be the same. */
export function idOf(object: Manifest): string {
  const { name, namespace = "" } = object["metadata"] as { readonly name: string; readonly namespace?: string };
  return `${String(object["kind"])} ${namespace}/${name}`;
}

async function withValues<T>({ values = {} }: Partial<ChartShape>, use: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-chart-"));
  try {
    const file = join(folder, "values.json");
    await writeFile(file, JSON.stringify(values));
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
