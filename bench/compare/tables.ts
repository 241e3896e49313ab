import type { PeerName } from "../peers/peer.ts";
import type { Goal, Scenario } from "./scenarios.ts";
import { type FigureSummary, type PeerSummary, REFERENCE, type Spread, type Verdict } from "./statistics.ts";

/** For people: three digits that count, thousands set apart. */
export function humanNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `least–most`, each as people read it. */
function humanRange({ least, most }: Spread): string {
  return `${humanNumber(least)}–${humanNumber(most)}`;
}

/** A ratio has two digits after the point, always: it is compared with a goal that has. */
export function humanRatio(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "–";
}

export function humanGoal({ atMost, atLeast }: Goal): string {
  return atMost !== undefined ? `≤ ${humanRatio(atMost)}` : `≥ ${humanRatio(atLeast ?? Number.NaN)}`;
}

/** For each scenario its title and a table with a line for each figure and proxy. */
export function terminalTables(scenarios: readonly Scenario[], figures: readonly FigureSummary[]): string {
  return scenarios
    .map(({ name, title }) => ({ title, own: figures.filter(({ scenario }) => scenario === name) }))
    .filter(({ own }) => own.some(({ peers }) => peers.length > 0))
    .map(({ title, own }) => `${title}\n${columns([HEAD, ...own.flatMap(linesOf)])}`)
    .join("\n\n");
}

const HEAD = ["", "", "median", "least–most", "to NGINX", "least–most"] as const;

function linesOf({ figure, unit, peers }: FigureSummary): readonly (readonly string[])[] {
  return peers.map(({ peer, value, ratio }, index) => [
    index === 0 ? `${figure}, ${unit}` : "",
    peer,
    humanNumber(value.median),
    humanRange(value),
    ratio === undefined ? "" : humanRatio(ratio.median),
    ratio === undefined || peer === REFERENCE ? "" : `${humanRatio(ratio.least)}–${humanRatio(ratio.most)}`,
  ]);
}

/** Words to the left, numbers to the right. */
function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const cell = (text: string, column: number): string =>
    column < 2 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return lines.map((line) => `  ${line.map(cell).join("  ")}`.trimEnd()).join("\n");
}

/** One table of everything for a page: a line for each figure, a column for each proxy. */
export function markdownTable(figures: readonly FigureSummary[], peers: readonly PeerName[]): string {
  const head = ["Scenario", "Figure", ...peers, ...(peers.includes("holdfast") ? ["Holdfast to NGINX"] : [])];
  const lines = figures.map(({ scenario, figure, unit, peers: measured }) => {
    const of = (wanted: PeerName): PeerSummary | undefined => measured.find(({ peer }) => peer === wanted);
    const cells = peers.map((peer) => valueCell(of(peer)));
    const last = peers.includes("holdfast") ? [ratioCell(of("holdfast"))] : [];
    return [scenario, `${figure}, ${unit}`, ...cells, ...last];
  });
  const rule = head.map((_, column) => (column < 2 ? "---" : "--:"));
  return [head, rule, ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function valueCell(summary: PeerSummary | undefined): string {
  return summary === undefined ? "" : `${humanNumber(summary.value.median)} (${humanRange(summary.value)})`;
}

function ratioCell(summary: PeerSummary | undefined): string {
  const ratio = summary?.ratio;
  if (ratio === undefined) return "";
  return `**${humanRatio(ratio.median)}** (${humanRatio(ratio.least)}–${humanRatio(ratio.most)})`;
}

/** What is wanted of Holdfast beside what was measured. A report: nothing fails by it. */
export function goalTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ scenario, figure, goal, ratio, isReached }) => [
    scenario,
    figure,
    humanGoal(goal),
    ratio === undefined ? "" : humanRatio(ratio.median),
    isReached === undefined ? "not measured" : isReached ? "reached" : "missed",
  ]);
  return columns([["goal", "", "to NGINX", "median", ""], ...lines]);
}
