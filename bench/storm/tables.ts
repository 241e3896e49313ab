import { type Spread, spreadOf } from "../compare/statistics.ts";
import { humanNumber } from "../compare/tables.ts";
import type { StormFigures } from "./figures.ts";

/** The storms of one rate, one of each round. */
export interface Setting {
  readonly rate: number | undefined;
  readonly rounds: readonly StormFigures[];
}

interface Row {
  readonly name: string;
  /** NaN or undefined = it has none. */
  readonly of: (figures: StormFigures) => number | undefined;
}

const MIB = 1_048_576;

const ROWS: readonly Row[] = [
  { name: "clients that came back", of: ({ back }) => back },
  { name: "the last was back after, s", of: ({ lastBackSeconds }) => lastBackSeconds },
  { name: "clients / rate, s", of: ({ computedSeconds }) => computedSeconds },
  { name: "most 101s in a second, with the burst", of: ({ mostInASecond }) => mostInASecond.first },
  { name: "most 101s in a second, from 2 s later on", of: ({ mostInASecond }) => mostInASecond.later },
  { name: "101s beyond rate × (1 + seconds)", of: ({ beyondBound }) => beyondBound },
  { name: "tries per client", of: ({ tries, clients }) => tries / clients },
  { name: "refusals without Retry-After", of: ({ unadvised }) => unadvised },
  { name: "failures", of: ({ failures }) => failures.length },
  { name: "echo p50, quiet, ms", of: ({ echoes }) => echoes.quiet.p50 },
  { name: "echo p50, storm, ms", of: ({ echoes }) => echoes.storm.p50 },
  { name: "echo p99, quiet, ms", of: ({ echoes }) => echoes.quiet.p99 },
  { name: "echo p99, storm, ms", of: ({ echoes }) => echoes.storm.p99 },
  { name: "echo p99, storm to quiet", of: p99Ratio },
  { name: "echo p99 after the loss, ms", of: ({ echoes }) => echoes.afterLoss.p99 },
  { name: "echo p99 after the loss, to quiet", of: afterLossRatio },
  { name: "echo max, quiet, ms", of: ({ echoes }) => echoes.quiet.max },
  { name: "echo max, storm, ms", of: ({ echoes }) => echoes.storm.max },
  { name: "event-loop delay p99, quiet, ms", of: ({ loopDelayMs }) => loopDelayMs.quiet.p99 },
  { name: "event-loop delay p99, storm, ms", of: ({ loopDelayMs }) => loopDelayMs.storm.p99 },
  { name: "event-loop delay max, storm, ms", of: ({ loopDelayMs }) => loopDelayMs.storm.max },
  { name: "PSS before the loss, MiB", of: ({ memory }) => memory.pssBefore / MIB },
  { name: "PSS after the last is back, MiB", of: ({ memory }) => memory.pssAfter / MIB },
  { name: "most resident meanwhile, MiB", of: ({ memory }) => memory.peakResident / MIB },
  { name: "processor time of the proxy, s", of: ({ cpuSeconds }) => cpuSeconds },
  { name: "machine busy in the quiet window, %", of: ({ busyPercent }) => busyPercent },
];

/** The established tunnels' p99 in the storm to the quiet one. */
export function p99Ratio({ echoes }: StormFigures): number {
  return echoes.storm.p99 / echoes.quiet.p99;
}

function afterLossRatio({ echoes }: StormFigures): number {
  return echoes.afterLoss.p99 / echoes.quiet.p99;
}

export function nameOf(rate: number | undefined): string {
  return rate === undefined ? "no limits" : `${rate}/s`;
}

/** A line for each figure, a column for each rate: the median of the rounds, in brackets the least and the most. */
export function markdownTable(settings: readonly Setting[]): string {
  const codes = [...new Set(settings.flatMap(({ rounds }) => rounds.flatMap(({ refusals }) => Object.keys(refusals))))];
  const refused: readonly Row[] = codes
    .toSorted()
    .map((code) => ({ name: `refused: ${code}`, of: ({ refusals }) => refusals[code] ?? 0 }));
  const lines = [...ROWS, ...refused].map(({ name, of }) => [
    name,
    ...settings.map(({ rounds }) => cell(rounds.map((figures) => of(figures) ?? Number.NaN))),
  ]);
  const head = ["Figure", ...settings.map(({ rate }) => nameOf(rate))];
  const rule = head.map((_, column) => (column === 0 ? "---" : "--:"));
  return [head, rule, ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function cell(values: readonly number[]): string {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return "";
  const spread = spreadOf(known);
  return `${humanNumber(spread.median)}${known.length > 1 ? ` (${range(spread)})` : ""}`;
}

function range({ least, most }: Spread): string {
  return `${humanNumber(least)}–${humanNumber(most)}`;
}
