/**
 * How fast changes become live, and what tunnels feel of them.
 *   npm run bench:live            5,000 routes, 50,000 endpoints
 *   npm run bench:live -- --quick 1,000 routes, fewer repetitions
 * Prints tables and writes bench/results/live.json. Times are of one machine and one run: compare runs side by side.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { ArticleBackend } from "../test/integration/fixtures/article-backend.ts";
import { serveFolder } from "../test/integration/fixtures/holdfast.ts";
import { exchange } from "../test/integration/fixtures/raw.ts";
import { Fleet, ROUTES_PER_FILE, SLICES_PER_FILE } from "./fleet.ts";
import { KeepAliveProbe } from "./keep-alive-probe.ts";
import { type Quantiles, quantiles } from "./quantiles.ts";

const isQuick = process.argv.includes("--quick");
const ROUTES = isQuick ? 1_000 : 5_000;
const REPEATS = isQuick ? 8 : 50;
const STORM_SECONDS = isQuick ? 4 : 20;
const RELOAD_EVERY_MS = 4_000;
const HOST = "probe.example.com";

function probeRoute(path: string, weights: readonly [number, number], host = HOST): string {
  return `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: probe, namespace: apps}
spec:
  hostnames: [${host}]
  rules:
  - name: main
    matches: [{path: {type: PathPrefix, value: ${path}}}]
    backendRefs: [{name: probe-a, port: 80, weight: ${weights[0]}}, {name: probe-b, port: 80, weight: ${weights[1]}}]
`;
}

function probeService(name: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: apps}
spec: {ports: [{name: ws, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: apps, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1]}]
ports: [{name: ws, port: ${port}}]
`;
}

/** Times from the rename of a file to the first answer that shows it, in ms, by kind of change. */
async function eventToLive(
  fleet: Fleet,
  http: string,
  ports: readonly [number, number],
): Promise<Record<string, Quantiles>> {
  await using probe = await KeepAliveProbe.open(http);
  const [a, b] = ports;
  const times: Record<string, number[]> = { endpoint: [], weight: [], "route path": [], "host added": [] };
  const measure = async (
    kind: string,
    file: string,
    text: string,
    request: { path: string; host: string },
    want: string,
  ): Promise<void> => {
    await delay(60);
    const began = performance.now();
    await fleet.write(file, text);
    while (!(await probe.get(request.path, request.host)).includes(want)) {
      if (performance.now() - began > 20_000) throw new Error(`${kind}: not live after 20 s`);
      // Asking without a pause would take a whole core from what is measured.
      await delay(1);
    }
    times[kind]?.push(performance.now() - began);
  };
  const here = { path: "/", host: HOST };
  for (let round = 0; round < REPEATS; round++) {
    await fleet.write("probe-a.yaml", probeService("probe-a", a));
    await measure("weight", "probe.yaml", probeRoute("/", [1, 0]), here, `from ${a}`);
    await measure("endpoint", "probe-a.yaml", probeService("probe-a", b), here, `from ${b}`);
    await measure("route path", "probe.yaml", probeRoute(`/r${round}`, [1, 0]), here, "HF_NO_ROUTE");
    await measure(
      "host added",
      "probe.yaml",
      probeRoute("/", [1, 0], `h${round}.example.com`),
      { path: "/", host: `h${round}.example.com` },
      `from ${b}`,
    );
  }
  return Object.fromEntries(Object.entries(times).map(([kind, values]) => [kind, quantiles(values)]));
}

/** Round trips of 50 tunnels, 20 messages per second each, sent one by one over the time, while `during` runs. */
async function roundTrips(http: string, during: () => Promise<void>): Promise<Quantiles> {
  const times: number[] = [];
  const sockets = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = new WebSocket(`ws://${http}/`, { headers: { host: HOST } });
      await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
      socket.on("message", (data) => {
        times.push(performance.now() - Number((data as Buffer).toString().split(": ")[1]));
      });
      return socket;
    }),
  );
  let closed = 0;
  for (const socket of sockets) socket.on("close", () => closed++);
  let turn = 0;
  const timer = setInterval(() => sockets[turn++ % sockets.length]?.send(String(performance.now())), 1);
  await during();
  clearInterval(timer);
  if (closed > 0) throw new Error(`${closed} tunnels were closed`);
  for (const socket of sockets) socket.terminate();
  return quantiles(times);
}

/** A reload of all routes every 4 s, as fast as the files can be written, and 500 endpoint changes per second in batches of 50. */
async function storm(fleet: Fleet): Promise<{ reloads: number; endpointChanges: number }> {
  const until = performance.now() + STORM_SECONDS * 1_000;
  const routeFiles = Math.ceil(fleet.size / ROUTES_PER_FILE);
  const sliceFiles = Math.ceil(fleet.size / SLICES_PER_FILE);
  let routesWritten = 0;
  let endpointChanges = 0;
  const reload = async (): Promise<void> => {
    for (let round = 1; performance.now() < until; round++) {
      const next = performance.now() + RELOAD_EVERY_MS;
      for (let file = 0; file < routeFiles; file++) await fleet.writeRoutes(file, round);
      routesWritten += fleet.size;
      await delay(Math.max(0, next - performance.now()));
    }
  };
  const endpoints = async (): Promise<void> => {
    for (let batch = 0; performance.now() < until; batch++) {
      const next = performance.now() + 100;
      await fleet.writeSlices(batch % sliceFiles, 11 + (batch % 200));
      endpointChanges += SLICES_PER_FILE;
      await delay(Math.max(0, next - performance.now()));
    }
  };
  await Promise.all([reload(), endpoints()]);
  return { reloads: Math.round((routesWritten / fleet.size) * 10) / 10, endpointChanges };
}

async function eventLoopDelay(admin: string): Promise<Record<string, number>> {
  const text = await exchange(admin, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const found: Record<string, number> = {};
  for (const [, stat, seconds] of text.matchAll(/^holdfast_event_loop_delay_seconds\{stat="([^"]+)"\} (\S+)$/gm))
    found[String(stat)] = Math.round(Number(seconds) * 1e5) / 100;
  return found;
}

async function run(routes: number): Promise<Record<string, unknown>> {
  await using a = await ArticleBackend.start(0);
  await using b = await ArticleBackend.start(0);
  await using fleet = await Fleet.create(routes - 1);
  await fleet.write("probe.yaml", probeRoute("/", [1, 0]));
  await fleet.write("probe-a.yaml", probeService("probe-a", a.port));
  await fleet.write("probe-b.yaml", probeService("probe-b", b.port));
  const began = performance.now();
  const { holdfast, http, admin } = await serveFolder(fleet.path);
  await using _ = holdfast;
  const startMs = Math.round(performance.now() - began);
  const live = await eventToLive(fleet, http, [a.port, b.port]);
  console.log(
    `\n${routes} routes, ${routes * 10} endpoints: process start to listening ${startMs} ms; event to live in ms`,
  );
  console.table(live);
  if (routes === 1) return { routes, startMs, eventToLiveMs: live };
  await fleet.write("probe.yaml", probeRoute("/", [1, 0]));
  await fleet.write("probe-a.yaml", probeService("probe-a", a.port));
  await delay(1_000);
  const quiet = await roundTrips(http, () => delay(STORM_SECONDS * 500));
  await eventLoopDelay(admin);
  let changed = { reloads: 0, endpointChanges: 0 };
  const stormy = await roundTrips(http, async () => {
    changed = await storm(fleet);
  });
  const eventLoopDelayMs = await eventLoopDelay(admin);
  console.log(
    `${STORM_SECONDS} s in which all ${fleet.size} routes were reloaded ${changed.reloads} times and ${changed.endpointChanges} endpoints changed; ms:`,
  );
  console.table({
    "event-loop delay of the data thread, ms": eventLoopDelayMs,
    "round trip, quiet, ms": quiet,
    "round trip, storm, ms": stormy,
  });
  return {
    routes,
    startMs,
    eventToLiveMs: live,
    storm: { seconds: STORM_SECONDS, ...changed, eventLoopDelayMs, roundTripQuietMs: quiet, roundTripStormMs: stormy },
  };
}

const results = [await run(1), await run(ROUTES)];
const folder = join(import.meta.dirname, "results");
mkdirSync(folder, { recursive: true });
writeFileSync(
  join(folder, "live.json"),
  `${JSON.stringify({ date: new Date().toISOString(), node: process.version, results }, null, 2)}\n`,
);
