import { afterAll, beforeAll, expect, test } from "vitest";
import { CHURN_HOST, churn, churnStart, settled } from "../integration/fixtures/churn.ts";
import { route, service } from "../integration/fixtures/manifests.ts";
import { NumberedBackend } from "../integration/fixtures/numbered-backend.ts";
import { type ClientReport, NumberedClient } from "../integration/fixtures/numbered-client.ts";
import { APPS, Cluster } from "./fixtures/cluster.ts";
import { ClusterWorld } from "./fixtures/cluster-world.ts";
import { addressOf, HandKeptPods } from "./fixtures/hand-kept-pods.ts";

const TUNNELS = 200;
const CHANGES = 200;
const PORT = 8010;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ controllerManager: "run" });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

async function startBackends(names: readonly string[], network: string): Promise<readonly NumberedBackend[]> {
  return Promise.all(
    names.map((name, index) => NumberedBackend.start(name, { host: `${network}.${index + 1}`, port: PORT })),
  );
}

function expectUnharmed(reports: readonly ClientReport[], tunnels: number): void {
  expect(reports.filter((report) => report.closed !== undefined)).toEqual([]);
  expect(reports.flatMap((report) => report.faults)).toEqual([]);
  expect(reports).toHaveLength(tunnels);
}

test(`${CHANGES} changes of EndpointSlices, Services and routes through the API server, under ${TUNNELS} live tunnels, close none, and lose, double or reorder nothing`, async () => {
  const names = Array.from({ length: 8 }, (_, index) => `${index < 5 ? "blue" : "green"}-${index}`);
  const all = await startBackends(names, "198.18.1");
  const [blue, green] = [all.slice(0, 5), all.slice(5)];
  const world = new ClusterWorld(cluster.plane.kubeconfig);
  for (const [file, manifests] of Object.entries(churnStart(blue, green))) await world.write(file, manifests);
  const { holdfast, http } = await cluster.serve();
  try {
    const reports = await churn({ world, http, blue, green, count: CHANGES, tunnels: TUNNELS });
    expectUnharmed(reports, TUNNELS);
  } catch (error) {
    throw new Error(`${String(error)}\n${holdfast.text()}`, { cause: error });
  } finally {
    await holdfast[Symbol.asyncDispose]();
    for (const backend of all) await backend[Symbol.asyncDispose]();
    for (const file of ["route.yaml", "slices.yaml", "green.yaml", "services.yaml"]) await world.write(file, []);
  }
});

test(`${CHANGES} changes of the Pods of a Deployment, published by Kubernetes' own EndpointSlice controller, under ${TUNNELS} live tunnels, close none`, async () => {
  const replicas = 4;
  // Addresses are taken anew by later Pods, as a real network does it.
  const all = await startBackends(
    Array.from({ length: 6 }, (_, index) => `at-198.18.2.${index + 1}`),
    "198.18.2",
  );
  const world = new ClusterWorld(cluster.plane.kubeconfig);
  const pods = new HandKeptPods({
    kubeconfig: cluster.plane.kubeconfig,
    namespace: APPS,
    labelSelector: "app=pods",
  });
  await pods.createNode();
  await world.write("deployment", [deployment(replicas)]);
  await world.write("service", [
    {
      ...service("pods", 80),
      spec: { selector: { app: "pods" }, ports: [{ name: "ws", port: 80, targetPort: PORT }] },
    },
  ]);
  await world.write("route", [route("pods").host(CHURN_HOST).to("pods", 80).inTurn().manifest()]);
  const addresses = all.map(({ host }) => host);
  for (const pod of await pods.untilThereAre(replicas)) await pods.run(pod, addresses.shift() ?? "");
  const ready = new Set(all.slice(0, replicas).map(({ host }) => host));
  const { holdfast, http } = await cluster.serve();
  const url = `ws://${http}/`;
  const lands = (name: string) =>
    settled(url, CHURN_HOST, { name, expected: new Set([...ready].map((address) => `at-${address}`)) });
  try {
    await lands("the start");
    const clients = await Promise.all(Array.from({ length: TUNNELS }, () => NumberedClient.open(url, CHURN_HOST)));
    for (let number = 0; number < CHANGES; ) {
      const living = await pods.living();
      const pod = living[number % living.length]!;
      const address = addressOf(pod) ?? "";
      await pods.setReady(pod, "False");
      ready.delete(address);
      await lands(`${++number}: ${address} unready`);
      await pods.setReady(pod, "True");
      ready.add(address);
      await lands(`${++number}: ${address} ready`);
      await pods.terminate(pod);
      ready.delete(address);
      await lands(`${++number}: ${address} terminating`);
      const fresh = (await pods.untilThereAre(replicas)).find((one) => addressOf(one) === undefined)!;
      const next = addresses.shift() ?? "";
      await pods.run(fresh, next);
      ready.add(next);
      await lands(`${++number}: ${next} new`);
      await pods.finish(pod);
      addresses.push(address);
    }
    expectUnharmed(await Promise.all(clients.map((client) => client.finish())), TUNNELS);
  } catch (error) {
    throw new Error(`${String(error)}\n${holdfast.text()}`, { cause: error });
  } finally {
    await holdfast[Symbol.asyncDispose]();
    for (const backend of all) await backend[Symbol.asyncDispose]();
  }
});

function deployment(replicas: number): Record<string, unknown> {
  const labels = { app: "pods" };
  const spec = {
    replicas,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      // Nobody acts on the readiness of these Pods but the test.
      spec: { containers: [{ name: "main", image: "none:1" }], terminationGracePeriodSeconds: 300 },
    },
  };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "pods", namespace: APPS }, spec };
}
