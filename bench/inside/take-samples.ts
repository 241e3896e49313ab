import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Group, Reading, Sample } from "./sample.ts";

const run = promisify(execFile);

/** A cost over several processes. */
export interface Cost {
  /** The median. */
  readonly value: number;
  readonly unit: string;
  /** From the least to the most, in percent of the median. */
  readonly spread: number;
}

export type Costs = Readonly<Record<string, Cost>>;

export interface Sampling {
  readonly groups: readonly Group[];
  readonly isQuick: boolean;
}

/**
 * One sample of the code in each folder. Every group of costs has a process of its own: what the compiler makes of the
 * code and where things come to lie in memory differs from process to process more than within one. The folders take
 * turns group by group, since a machine that others use is faster in one minute than in the next.
 */
export async function sampleInTurns(folders: readonly string[], { groups, isQuick }: Sampling): Promise<Sample[]> {
  const samples: Sample[] = folders.map(() => ({ costs: {}, failed: {} }));
  for (const group of groups) {
    for (const [n, folder] of folders.entries()) {
      const { costs, failed } = await sampleOf(folder, group, isQuick);
      const before = samples[n];
      samples[n] = { costs: { ...before?.costs, ...costs }, failed: { ...before?.failed, ...failed } };
    }
  }
  return samples;
}

async function sampleOf(folder: string, group: Group, isQuick: boolean): Promise<Sample> {
  const args = ["--expose-gc", join(folder, "bench/inside.ts"), "--sample", group, ...(isQuick ? ["--quick"] : [])];
  try {
    const { stdout } = await run(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 24 });
    return JSON.parse(stdout) as Sample;
  } catch (error) {
    return { costs: {}, failed: { [group]: String(error) } };
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** What every one of the samples has. */
export function costsOf(samples: readonly Sample[]): Costs {
  const costs: Record<string, Cost> = {};
  for (const [name, { unit }] of Object.entries(samples[0]?.costs ?? {})) {
    const values = valuesOf(samples, name);
    if (values.length < samples.length) continue;
    const value = median(values);
    const spread = ((Math.max(...values) - Math.min(...values)) / (Math.abs(value) || 1)) * 100;
    costs[name] = { value: rounded(value), unit, spread: Math.round(spread) };
  }
  return costs;
}

function valuesOf(samples: readonly Sample[], name: string): readonly number[] {
  return samples.flatMap((sample) => sample.costs[name]?.value ?? []);
}

/** Three digits, and whole bytes. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

export function goalsOf(sample: Sample | undefined): ReadonlyMap<string, number> {
  const entries: [string, Reading][] = Object.entries(sample?.costs ?? {});
  return new Map(entries.flatMap(([name, { goal }]) => (goal === undefined ? [] : [[name, goal]])));
}
