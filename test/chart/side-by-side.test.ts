import { describe, expect, test } from "vitest";
import { idOf, isHelmMissing, only, render } from "./chart.ts";
import type { ChartShape } from "./shapes.ts";

async function common(one: Partial<ChartShape>, other: Partial<ChartShape>): Promise<readonly string[]> {
  const [ids, others] = await Promise.all([render(one), render(other)]);
  const seen = new Set(ids.map(idOf));
  return others.map(idOf).filter((id) => seen.has(id));
}

const CRD = "CustomResourceDefinition /websocketroutes.holdfast.dev";

describe.skipIf(isHelmMissing).concurrent("two releases side by side", () => {
  test.for([
    {
      name: "of one namespace share only the CRD",
      one: { release: "a" },
      other: { release: "b" },
      want: [CRD],
    },
    {
      name: "of one namespace share nothing when one of them leaves the CRD to the other",
      one: { release: "a" },
      other: { release: "b", values: { crds: { install: false } } },
      want: [],
    },
    {
      name: "of one name in two namespaces share the CRD and need names for their IngressClasses",
      one: { release: "holdfast", namespace: "blue" },
      other: { release: "holdfast", namespace: "green" },
      want: [CRD, "IngressClass /holdfast"],
    },
    {
      name: "of one name in two namespaces may read the same namespaces",
      one: { namespace: "blue", values: { watchNamespaces: ["apps"], ingressClass: { name: "blue" } } },
      other: { namespace: "green", values: { watchNamespaces: ["apps"], ingressClass: { name: "green" } } },
      want: [CRD],
    },
    {
      name: "whose names differ in the place of a dash only are told apart by their namespaces' roles",
      one: { release: "c", namespace: "a-b", values: { fullnameOverride: "c" } },
      other: { release: "b-c", namespace: "a", values: { fullnameOverride: "b-c" } },
      want: [CRD],
    },
  ])("$name", async ({ one, other, want }) => {
    expect((await common(one, other)).toSorted()).toEqual(want);
  });

  test("no two names of releases give the same name of objects, and each is one that a Service may have", async () => {
    const releases = "a a-holdfast a.holdfast a.b a-b 1a h1a holdfast holdfast-a holdfast.a".split(" ");
    releases.push("holdfast-1a", "x".repeat(53), `${"x".repeat(52)}y`, `1${"x".repeat(52)}`, `1${"x".repeat(51)}y`);
    const services = await Promise.all(releases.map(async (release) => only(await render({ release }), "Service")));
    const names = services.map(({ metadata }) => (metadata as { name: string }).name);
    expect(new Set(names).size).toBe(releases.length);
    for (const name of names) expect(name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });

  test("their Pods are told apart by every selector", async () => {
    const [a, b] = await Promise.all([render({ release: "a" }), render({ release: "b" })]);
    const selectors = (objects: typeof a): readonly string[] =>
      ["Deployment", "Service", "PodDisruptionBudget"].map((kind) => {
        const { selector } = only(objects, kind)["spec"] as { selector: Record<string, unknown> };
        return JSON.stringify(selector["matchLabels"] ?? selector);
      });
    expect(new Set(selectors(a)).size).toBe(1);
    expect(new Set([...selectors(a), ...selectors(b)]).size).toBe(2);
  });
});
