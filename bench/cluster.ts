/**
 * How fast changes of a cluster become live, and what tunnels feel of them: a real API server beside Holdfast.
 *   npm run bench:cluster            5,000 routes, 50,000 endpoints
 *   npm run bench:cluster -- --quick 500 routes, fewer repetitions
 * Prints tables and writes bench/results/cluster.json. Everything shares the machine, the API server and etcd too.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endpointSlices, route, service } from "../test/integration/fixtures/manifests.ts";
import { NumberedBackend } from "../test/integration/fixtures/numbered-backend.ts";
import { landing, NumberedClient } from "../test/integration/fixtures/numbered-client.ts";
import { gauge, scrape, valueOf } from "../test/integration/fixtures/scrape.ts";
import { Cluster } from "../test/cluster/fixtures/cluster.ts";
import { ClusterWorld } from "../test/cluster/fixtures/cluster-world.ts";
import { ClusterFleet } from "./cluster-fleet.ts";
import { IdleProcess } from "./idle-process.ts";
import { type Quantiles, quantiles } from "./quantiles.ts";

const isQuick = process.argv.includes("--quick");
const ROUTES = isQuick ? 500 : 5_000;
const REPEATS = isQuick ? 30 : 150;
const STORM_SECONDS = isQuick ? 10 : 30;
const CHANGES_PER_SECOND = 500;
/** Each carries 80 messages per second. */
const TUNNELS = 20;
/** As the chart gives it to a Pod of 1 GiB. */
const HEAP = "--max-old-space-size=341";
const HOST = "probe.example.com";

/** From the API server's answer to a change to the end of the first handshake that shows it, in ms. */
async function eventToLive(
  world: ClusterWorld,
  http: string,
  backends: readonly NumberedBackend[],
): Promise<Record<string, Quantiles>> {
  const [a, b] = backends as [NumberedBackend, NumberedBackend];
  const times: Record<string, number[]> = { endpoint: [], weight: [] };
  const measure = async (kind: string, write: () => Promise<void>, want: string): Promise<void> => {
    await delay(60);
    await write();
    const began = performance.now();
    while ((await landing(`ws://${http}/`, HOST)) !== want) {
      if (performance.now() - began > 20_000) throw new Error(`${kind}: not live after 20 s`);
      await delay(1);
    }
    times[kind]?.push(performance.now() - began);
  };
  for (let round = 0; round < REPEATS; round++) {
    const [from, to] = round % 2 === 0 ? [a, b] : [b, a];
    await measure("endpoint", () => world.write("slices", endpointSlices("probe", [to])), to.name);
    await world.write("slices", endpointSlices("probe", [from]));
    await delay(60);
    const weighted = route("probe").host(HOST).to("probe", 80, 0).to("other", 80, 1).manifest();
    await world.write("other-slices", endpointSlices("other", [to]));
    await measure("weight", () => world.write("route", [weighted]), to.name);
    await world.write("route", [route("probe").host(HOST).to("probe", 80).manifest()]);
  }
  return Object.fromEntries(Object.entries(times).map(([kind, values]) => [kind, quantiles(values)]));
}

/** Endpoint changes at a fixed rate, as far as the API server can, and one reload of all routes after the other. */
async function storm(fleet: ClusterFleet): Promise<{ readonly endpointChanges: number; readonly reloads: number }> {
  const until = performance.now() + STORM_SECONDS * 1_000;
  let endpointChanges = 0;
  let reloads = 0;
  const underWay = new Set<Promise<void>>();
  const endpoints = async (): Promise<void> => {
    for (let tick = 0; performance.now() < until; tick++) {
      for (let n = 0; n < CHANGES_PER_SECOND / 50 && underWay.size < 64; n++) {
        const change = fleet.changeEndpoint(endpointChanges % fleet.size, 11 + (tick % 100)).finally(() => {
          underWay.delete(change);
          endpointChanges++;
        });
        underWay.add(change);
      }
      await delay(20);
    }
    await Promise.all(underWay);
  };
  const routes = async (): Promise<void> => {
    while (performance.now() < until) await fleet.reload(++reloads);
  };
  await Promise.all([endpoints(), routes()]);
  return { endpointChanges, reloads };
}

function residentMiB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

async function loopDelay(admin: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  // In one scrape: each begins the measurement anew.
  const text = await scrape(admin);
  for (const stat of ["p50", "p99", "max"])
    found[stat] = Math.round((valueOf(text, `holdfast_event_loop_delay_seconds{stat="${stat}"}`) ?? 0) * 1e5) / 100;
  return found;
}

/** A control plane has machines of its own; here it at least goes last where cores are short. Children inherit it. */
async function startElsewhere(): Promise<Cluster> {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    return await Cluster.start();
  } finally {
    setPriority(constants.priority.PRIORITY_NORMAL);
  }
}

async function run(routes: number): Promise<Record<string, unknown>> {
  await using cluster = await startElsewhere();
  const world = new ClusterWorld(cluster.plane.kubeconfig);
  const backends = await Promise.all(
    ["a", "b"].map((name, n) => NumberedBackend.start(name, { host: `198.18.5.${n + 1}`, port: 8010 })),
  );
  await world.write("services", [service("probe", 80), service("other", 80)]);
  await world.write("slices", endpointSlices("probe", backends.slice(0, 1)));
  await world.write("route", [route("probe").host(HOST).to("probe", 80).manifest()]);
  const fillBegan = performance.now();
  const fleet = await ClusterFleet.create(cluster.plane, routes - 1);
  console.log(
    `${routes} applications written to the API server in ${Math.round((performance.now() - fillBegan) / 1000)} s`,
  );
  const began = performance.now();
  const { holdfast, http, admin } = await cluster.serve({ env: { NODE_OPTIONS: HEAP } });
  await using _ = holdfast;
  const readyMs = Math.round(performance.now() - began);
  const rssMiB = { ready: residentMiB(holdfast.process.pid) };
  console.log(`process start to listening ${readyMs} ms, ${rssMiB.ready} MiB resident`);
  // The first statuses are written meanwhile; what is measured is the state after.
  const written = 'holdfast_status_writes_total{result="written"}';
  while (((await gauge(admin, written)) ?? 0) < routes) await delay(1_000);
  console.log(`all statuses written ${Math.round((performance.now() - began) / 1000)} s after the start`);
  const live = await eventToLive(world, http, backends);
  console.table(live);
  const result = { routes, readyMs, rssMiB, eventToLiveMs: live };
  if (routes === 1) {
    for (const backend of backends) await backend[Symbol.asyncDispose]();
    return result;
  }
  const clients = await Promise.all(Array.from({ length: TUNNELS }, () => NumberedClient.open(`ws://${http}/`, HOST)));
  const writesBefore = (await gauge(admin, written)) ?? 0;
  await using idle = await IdleProcess.start();
  await loopDelay(admin);
  const changed = await storm(fleet);
  const eventLoopDelayMs = await loopDelay(admin);
  const idleDelayMs = await idle.delay();
  const statusWrites = ((await gauge(admin, written)) ?? 0) - writesBefore;
  const reports = await Promise.all(clients.map((client) => client.finish()));
  const harmed = reports.filter((report) => report.closed !== undefined || report.faults.length > 0);
  if (harmed.length > 0) throw new Error(`tunnels were harmed: ${JSON.stringify(harmed.slice(0, 3))}`);
  console.log(
    `${STORM_SECONDS} s of ${changed.endpointChanges} endpoint changes and ${changed.reloads} reloads; ` +
      `${statusWrites} statuses written; ${residentMiB(holdfast.process.pid)} MiB resident; event-loop delay, ms:`,
  );
  console.table({ "data thread": eventLoopDelayMs, "an idle process beside it": idleDelayMs });
  await fleet.close();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
  const resident = { ...rssMiB, afterStorm: residentMiB(holdfast.process.pid) };
  return {
    ...result,
    rssMiB: resident,
    storm: { seconds: STORM_SECONDS, ...changed, statusWrites, eventLoopDelayMs, idleDelayMs },
  };
}

const results = [await run(1), await run(ROUTES)];
const folder = join(import.meta.dirname, "results");
mkdirSync(folder, { recursive: true });
writeFileSync(
  join(folder, "cluster.json"),
  `${JSON.stringify({ date: new Date().toISOString(), node: process.version, results }, null, 2)}\n`,
);
