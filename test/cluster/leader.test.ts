import { afterAll, beforeAll, expect, test } from "vitest";
import { CHURN_HOST } from "../integration/fixtures/churn.ts";
import { endpointSlices, route, service } from "../integration/fixtures/manifests.ts";
import { gauge } from "../integration/fixtures/scrape.ts";
import { APPS, Cluster, HOME_NAMESPACE } from "./fixtures/cluster.ts";
import { ClusterWorld } from "./fixtures/cluster-world.ts";

let cluster: Cluster;
let world: ClusterWorld;
beforeAll(async () => {
  cluster = await Cluster.start();
  world = new ClusterWorld(cluster.plane.kubeconfig);
  await world.write("service", [service("chat", 80)]);
  await world.write("slices", endpointSlices("chat", [{ host: "198.18.4.1", port: 8010 }]));
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

async function conditionsOf(name: string): Promise<Record<string, string>> {
  const text = await cluster.plane.kubectl(["-n", APPS, "get", "wsr", name, "-o", "json"]);
  const { status } = JSON.parse(text) as {
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  };
  return Object.fromEntries((status?.conditions ?? []).map((one) => [one.type, one.status]));
}

async function holder(): Promise<string> {
  return cluster.plane.kubectl([
    "-n",
    HOME_NAMESPACE,
    "get",
    "lease",
    "holdfast",
    "-o",
    "jsonpath={.spec.holderIdentity}",
  ]);
}

const SERVED = { Accepted: "True", ResolvedRefs: "True", Programmed: "True" };

test("of two replicas one writes statuses; when it is killed, the other does; when that one is told to end, it hands over at once", async () => {
  const first = await cluster.serve({ identity: "first" });
  await using _ = first.holdfast;
  await expect.poll(() => gauge(first.admin, "holdfast_leader")).toBe(1);
  const second = await cluster.serve({ identity: "second" });
  await using __ = second.holdfast;
  expect(await holder()).toMatch(/^first/);
  await world.write("one", [route("one").host(CHURN_HOST).to("chat", 80).manifest()]);
  await expect.poll(() => conditionsOf("one")).toEqual(SERVED);
  expect((await gauge(second.admin, 'holdfast_status_writes_total{result="written"}')) ?? 0).toBe(0);

  first.holdfast.process.kill("SIGKILL");
  await world.write("two", [route("two").host("two.example.com").to("chat", 80).manifest()]);
  await expect.poll(() => conditionsOf("two"), { timeout: 30_000 }).toEqual(SERVED);
  expect(await holder()).toMatch(/^second/);
  expect(await gauge(second.admin, "holdfast_leader")).toBe(1);

  const third = await cluster.serve({ identity: "third" });
  await using ___ = third.holdfast;
  const toldAt = performance.now();
  second.holdfast.process.kill("SIGTERM");
  await expect.poll(holder, { timeout: 10_000 }).toMatch(/^third/);
  // Far below the 15 s that a silent leader would be waited for; the second one is still in its grace.
  expect(performance.now() - toldAt).toBeLessThan(8_000);
  expect(second.holdfast.process.exitCode).toBeNull();
  await world.write("three", [route("three").host("three.example.com").to("chat", 80).manifest()]);
  await expect.poll(() => conditionsOf("three")).toEqual(SERVED);
});
