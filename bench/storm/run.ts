import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Pins } from "../compare/machine.ts";
import { LoadProcess, startBackend } from "./load-process.ts";
import { type Limits, STEADY_PATH, STORM_PATH, STORM_UPSTREAM, writeRoute, writeService } from "./manifests.ts";
import { metricValue, ProxyProcess } from "./proxy-process.ts";
import type { ProxyRecord, SteadyRecord, StormRecord, StormRun } from "./records.ts";

/** How large and how long a storm is. */
export interface Effort {
  /** Clients that lose their backend. */
  readonly clients: number;
  /** Tunnels that keep theirs, and what they echo in a second, together. */
  readonly established: number;
  readonly echoesPerSecond: number;
  /** What the established tunnels are compared with. */
  readonly quietSeconds: number;
  /** Each client comes back at a random time within so long after its loss; 0 = at once. */
  readonly firstWithinSeconds: number;
}

/** One storm: what the rule admits, and where everything runs. */
export interface StormPlan {
  readonly effort: Effort;
  readonly rate: number | undefined;
  /** Of the randomness of the clients. */
  readonly seed: number;
  readonly pins: Pins;
  /** Of its own; the caller removes it. */
  readonly folder: string;
}

const BACKENDS_AFTER = 3;
const OPEN_TIMEOUT_MS = 60_000;
/** A crash is found out by the kubelet, and then told: for so long the endpoints still name the one that is gone. */
const ENDPOINTS_LATE_MS = 1_000;
const SETTLE_MS = 3_000;
/** After the last is back, for tunnels that might not last. */
const AFTER_MS = 2_000;
/** Beyond what the rate lets expect. */
const PATIENCE_MS = 90_000;
/** The queue holds a second's worth, for as long as that takes and a little longer. */
const QUEUE_SECONDS = 2;
/** The clients of the storm stand back on their core, or the ends of the established tunnels would measure them. */
const GENTLE = ["nice", "-n", "5"];

/**
 * Opens all tunnels without limits, sets the limits live, waits, kills the backend, and looks on until the last client
 * is back over three others. Throws in words when it does not come to that.
 */
export async function runStorm({ effort, rate, seed, pins, folder }: StormPlan): Promise<StormRun> {
  await using ends = new AsyncDisposableStack();
  const backend = async (): Promise<Awaited<ReturnType<typeof startBackend>>> => {
    const started = await startBackend(pins.load);
    ends.use(started.process);
    return started;
  };
  const doomed = await backend();
  const others: number[] = [];
  while (others.length < BACKENDS_AFTER) others.push((await backend()).port);
  const manifests = join(folder, "manifests");
  await mkdir(manifests);
  await writeRoute(manifests, undefined);
  await writeService(manifests, "storm", [doomed.port]);
  await writeService(manifests, "steady", others);
  const proxy = ends.use(await ProxyProcess.start({ manifests, logFile: join(folder, "output.log"), pin: pins.proxy }));
  try {
    const client = (pin: readonly string[], args: readonly (string | number)[]): LoadProcess =>
      ends.use(new LoadProcess([...args.map(String), "--target", `127.0.0.1:${proxy.port}`], pin));
    const { established, echoesPerSecond, clients, firstWithinSeconds } = effort;
    const echoes = ["--tunnels", established, "--rate", echoesPerSecond, "--path", STEADY_PATH];
    const steady = client(pins.load, ["steady", ...echoes]);
    await steady.line("open", OPEN_TIMEOUT_MS);
    const returning = [
      "--tunnels",
      clients,
      "--first-within",
      firstWithinSeconds,
      "--seed",
      seed,
      "--path",
      STORM_PATH,
    ];
    const storm = client([...GENTLE, ...pins.load], ["storm", ...returning]);
    await storm.line("open", OPEN_TIMEOUT_MS);
    await prepare({ proxy, manifests, limits: limitsOf(rate), ports: [doomed.port, ...others] });
    await delay(SETTLE_MS);

    await proxy.metrics();
    const quietFromMs = Date.now();
    const ticksBefore = processorTicks();
    await delay(effort.quietSeconds * 1_000);
    const ticks = processorTicks();
    const busyPercent = (100 * (ticks.busy - ticksBefore.busy)) / (ticks.all - ticksBefore.all);
    const quietDelay = await proxy.loopDelay();
    const pssBefore = proxy.pssBytes();
    proxy.forgetPeak();
    const cpuBefore = proxy.cpuSeconds();
    const killedMs = Date.now();
    const gone = doomed.process.kill();
    const told = delay(ENDPOINTS_LATE_MS).then(() => writeService(manifests, "storm", others));
    await Promise.all([gone, told]);
    await untilBack(storm, PATIENCE_MS + (clients / (rate ?? Number.POSITIVE_INFINITY)) * 1_000);
    const cpuSeconds = proxy.cpuSeconds() - cpuBefore;
    const stormDelay = await proxy.loopDelay();
    await delay(AFTER_MS);
    const memory = { pssBefore, pssAfter: proxy.pssBytes(), peakResident: proxy.peakResidentBytes() };
    const proxyRecord: ProxyRecord = { loopDelayMs: { quiet: quietDelay, storm: stormDelay }, memory, cpuSeconds };
    const [stormRecord, steadyRecord] = await Promise.all([storm.result<StormRecord>(), steady.result<SteadyRecord>()]);
    return { rate, quietFromMs, killedMs, storm: stormRecord, steady: steadyRecord, proxy: proxyRecord, busyPercent };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`${words}\n${proxy.lastWords()}`.trim(), { cause: error });
  }
}

function limitsOf(rate: number | undefined): Limits | undefined {
  return rate === undefined ? undefined : { handshakesPerSecond: rate, queueSize: rate, queueSeconds: QUEUE_SECONDS };
}

interface Preparation {
  readonly proxy: ProxyProcess;
  readonly manifests: string;
  readonly limits: Limits | undefined;
  readonly ports: readonly number[];
}

/** The others come, and the rule gets its limits, while all tunnels are open. Returns when that is live. */
async function prepare({ proxy, manifests, limits, ports }: Preparation): Promise<void> {
  const generation = metricValue(await proxy.metrics(), "holdfast_table_generation");
  await writeService(manifests, "storm", ports);
  await writeRoute(manifests, limits);
  const ready = `holdfast_upstream_backends{upstream="${STORM_UPSTREAM}",state="ready"}`;
  await proxy.untilMetric(ready, (count) => count === ports.length);
  if (limits !== undefined) await proxy.untilMetric("holdfast_table_generation", (now) => now > generation);
}

/** Who is not back by then is in the record, as such. */
async function untilBack(storm: LoadProcess, timeoutMs: number): Promise<void> {
  try {
    await storm.line("back", timeoutMs);
  } catch (error) {
    if (storm.hasEnded) throw error;
  }
}

/** Of all processors since boot, from the first line of /proc/stat (proc_stat(5)): what was not idle was busy. */
function processorTicks(): { readonly busy: number; readonly all: number } {
  const ticks = readFileSync("/proc/stat", "utf8").split("\n", 1).join().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, one) => sum + one, 0);
  return { busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0), all };
}
