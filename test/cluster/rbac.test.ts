import { expect, test } from "vitest";
import { endpointSlices, route, service } from "../integration/fixtures/manifests.ts";
import { APPS, Cluster } from "./fixtures/cluster.ts";
import { ClusterWorld } from "./fixtures/cluster-world.ts";

test.for([
  { name: "in the whole cluster", values: [], args: [] },
  { name: "in some namespaces", values: [`watchNamespaces={${APPS}}`], args: ["--namespace", APPS] },
])("$name, Holdfast needs every verb that the chart grants, and no other", async ({ values, args }) => {
  await using cluster = await Cluster.start({ values });
  const world = new ClusterWorld(cluster.plane.kubeconfig);
  const { holdfast } = await cluster.serve({ args });
  await using _ = holdfast;
  await world.write("service", [service("chat", 80)]);
  await world.write("slices", endpointSlices("chat", [{ host: "198.18.8.1", port: 8010 }]));
  const good = route("chat").host("chat.example.com").to("chat", 80).manifest();
  await world.write("route", [good]);
  await world.write("broken", [route("broken").host("broken.example.com").to("missing", 80).manifest()]);
  const used = async (): Promise<ReadonlySet<string>> =>
    new Set(
      (await cluster.audit()).filter(({ status }) => status < 300).map(({ verb, resource }) => `${verb} ${resource}`),
    );
  await expect.poll(used, { timeout: 30_000 }).toEqual(cluster.granted);
  expect((await cluster.audit()).filter(({ status }) => status === 403)).toEqual([]);
});
