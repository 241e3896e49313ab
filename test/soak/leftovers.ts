import { setTimeout as sleep } from "node:timers/promises";
import { descriptors, residentBytes } from "../integration/fixtures/process-facts.ts";
import { scrape } from "../integration/fixtures/scrape.ts";
import type { SoakWorld } from "./world.ts";

/** Waits of the proxy's own after a tunnel's end are shorter. */
const SETTLES_WITHIN_MS = 40_000;

/** What must be none when no tunnel is left; those that this version does not know are passed over. */
const GONE_WITH_TUNNELS = [
  "holdfast_open_tunnels",
  "holdfast_upstream_open_tunnels",
  "holdfast_upstream_pending_requests",
  "holdfast_buffered_bytes",
  "holdfast_timers",
];

/** The sum of a metric's series, whatever their labels; undefined = there is no such metric. */
function sumOf(text: string, metric: string, label = ""): number | undefined {
  const values = text
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .filter((line) => line.includes(label))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.length === 0 && !text.includes(`# TYPE ${metric} `) ? undefined : values.reduce((a, b) => a + b, 0);
}

/** Waits until nothing of any tunnel is left in the process, and says what is. */
export async function leftovers(world: SoakWorld, descriptorsBefore: number): Promise<readonly string[]> {
  const untilMs = performance.now() + SETTLES_WITHIN_MS;
  for (;;) {
    const left = await leftNow(world, descriptorsBefore);
    if (left.length === 0 || performance.now() > untilMs) return left;
    await sleep(250);
  }
}

async function leftNow(world: SoakWorld, descriptorsBefore: number): Promise<readonly string[]> {
  const text = await scrape(world.admin);
  const open = descriptors(world.holdfast.process.pid);
  const left = GONE_WITH_TUNNELS.flatMap((metric) => {
    const sum = sumOf(text, metric) ?? 0;
    return sum === 0 ? [] : [`${metric} is ${sum}`];
  });
  return open <= descriptorsBefore
    ? left
    : [...left, `${open} descriptors are open, ${descriptorsBefore} at the start`];
}

/** Compares what /metrics says of ended tunnels with the log. */
export async function countProblems(world: SoakWorld): Promise<readonly string[]> {
  const text = await scrape(world.admin);
  const problems: string[] = [];
  for (const [cause, count] of world.ends.byCause) {
    const counted = sumOf(text, "holdfast_tunnels_ended_total", `cause="${cause}"`);
    if (counted !== count) problems.push(`metrics count ${counted} ends by ${cause}, the log has ${count}`);
  }
  const opened = sumOf(text, "holdfast_tunnels_opened_total");
  if (opened !== world.ends.total)
    problems.push(`metrics count ${opened} tunnels, the log has ${world.ends.total} ends`);
  return problems;
}

/** Resident memory of a process over time. */
export class MemoryWatch implements Disposable {
  readonly samples: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number | undefined, everyMs = 500) {
    this.#timer = setInterval(() => this.samples.push(residentBytes(pid)), everyMs);
  }

  /** The median of each tenth of the time, in MiB. */
  tenths(): readonly number[] {
    const size = Math.max(1, Math.floor(this.samples.length / 10));
    return Array.from({ length: 10 }, (_, index) => {
      return Math.round(median(this.samples.slice(index * size, (index + 1) * size)) / 2 ** 20);
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
