import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { CHURN_HOST, settled } from "../integration/fixtures/churn.ts";
import type { HoldfastProcess } from "../integration/fixtures/holdfast.ts";
import { endpointSlices, route, service } from "../integration/fixtures/manifests.ts";
import { NumberedBackend } from "../integration/fixtures/numbered-backend.ts";
import { NumberedClient } from "../integration/fixtures/numbered-client.ts";
import { gauge } from "../integration/fixtures/scrape.ts";
import { Cluster } from "./fixtures/cluster.ts";
import { ClusterWorld } from "./fixtures/cluster-world.ts";
import { FaultyProxy } from "./fixtures/faulty-proxy.ts";
import { kubeconfigBy } from "./fixtures/kubeconfig-by.ts";

const TUNNELS = 100;
const OUTAGE_MS = 60_000;

let cluster: Cluster;
let world: ClusterWorld;
let backends: readonly NumberedBackend[];
beforeAll(async () => {
  cluster = await Cluster.start();
  world = new ClusterWorld(cluster.plane.kubeconfig);
  backends = await Promise.all(
    [1, 2, 3].map((number) => NumberedBackend.start(`b${number}`, { host: `198.18.3.${number}`, port: 8010 })),
  );
});
afterAll(async () => {
  for (const backend of backends) await backend[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** The backends of these numbers, and no others, are behind the Service. */
async function serveBy(...numbers: readonly number[]): Promise<void> {
  await world.write(
    "slices",
    endpointSlices(
      "chat",
      backends.filter((_, index) => numbers.includes(index + 1)),
    ),
  );
}

async function start(args: readonly string[] = [], kubeconfig = cluster.kubeconfig): Promise<Scene> {
  await world.write("service", [service("chat", 80)]);
  await world.write("route", [route("chat").host(CHURN_HOST).to("chat", 80).inTurn().manifest()]);
  await serveBy(1, 2);
  const { holdfast, http, admin } = await cluster.serve({ args: ["--kubeconfig", kubeconfig, ...args] });
  onTestFinished(() => holdfast[Symbol.asyncDispose]());
  await lands(http, "the start", 1, 2);
  const clients = await Promise.all(
    Array.from({ length: TUNNELS }, () => NumberedClient.open(`ws://${http}/`, CHURN_HOST)),
  );
  return { holdfast, http, admin, clients };
}

interface Scene {
  readonly holdfast: HoldfastProcess;
  readonly http: string;
  readonly admin: string;
  readonly clients: readonly NumberedClient[];
}

async function lands(http: string, name: string, ...numbers: readonly number[]): Promise<void> {
  const expected = new Set(numbers.map((number) => `b${number}`));
  await settled(`ws://${http}/`, CHURN_HOST, { name, expected });
}

async function expectUnharmed({ clients }: Scene): Promise<void> {
  const reports = await Promise.all(clients.map((client) => client.finish()));
  expect(reports.filter(({ closed }) => closed !== undefined)).toEqual([]);
  expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
}

test("the API server is killed for a minute: nothing closes, handshakes go on, its age is told, and endpoints follow once it is back", async () => {
  const scene = await start();
  const { http, admin } = scene;
  await cluster.plane.stopApiServer("SIGKILL");
  const downAt = performance.now();
  while (performance.now() - downAt < OUTAGE_MS) {
    await lands(http, "during the outage", 1, 2);
    await delay(1_000);
  }
  expect(await gauge(admin, 'holdfast_source_age_seconds{kind="EndpointSlice"}')).toBeGreaterThan(50);
  await cluster.plane.startApiServer();
  await serveBy(2, 3);
  await expect.poll(async () => lands(http, "after the outage", 2, 3).then(() => true), { timeout: 60_000 }).toBe(true);
  await expect.poll(() => gauge(admin, 'holdfast_source_age_seconds{kind="EndpointSlice"}')).toBeLessThan(50);
  await expectUnharmed(scene);
});

test("etcd is restored to an older revision: nothing closes, and endpoints follow from there", async () => {
  const scene = await start();
  const { http } = scene;
  const saved = await cluster.plane.saveEtcd();
  await lands(http, "saved", 1, 2);
  // Versions run ahead, so that those after the restore are of the past for a while.
  for (let round = 0; round < 40; round++) await serveBy(...(round % 2 === 0 ? [3] : [1, 3]));
  await serveBy(3);
  await lands(http, "before the restore", 3);
  await cluster.plane.restoreEtcd(saved);
  await expect.poll(() => lands(http, "restored", 1, 2).then(() => true), { timeout: 60_000 }).toBe(true);
  await serveBy(2);
  await lands(http, "after the restore", 2);
  await expectUnharmed(scene);
});

test("watch connections are cut by a proxy in between: nothing closes, and endpoints follow", async () => {
  await using proxy = await FaultyProxy.start(cluster.plane.server);
  const scene = await start([], await kubeconfigBy(cluster.kubeconfig, proxy));
  for (const numbers of [[3], [1, 2], [2, 3]]) {
    proxy.cut();
    await serveBy(...numbers);
    await lands(scene.http, "after a cut", ...numbers);
  }
  await expectUnharmed(scene);
});

test("watch connections freeze in a proxy in between: the silence is noticed, nothing closes, and endpoints follow", async () => {
  await using proxy = await FaultyProxy.start(cluster.plane.server);
  const scene = await start(["--watch-silence", "4s"], await kubeconfigBy(cluster.kubeconfig, proxy));
  proxy.freeze();
  await serveBy(1);
  await delay(1_000);
  await lands(scene.http, "while frozen", 1, 2);
  await expect.poll(() => lands(scene.http, "noticed", 1).then(() => true), { timeout: 30_000 }).toBe(true);
  await expectUnharmed(scene);
});
