import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import type { Costs } from "./take-samples.ts";

/** What a run leaves behind. */
export interface Figures {
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  /** `-dirty` behind it when what was measured is not what was committed. */
  readonly commit: string;
  readonly costs: Costs;
}

export function figuresOf(root: string, costs: Costs): Figures {
  const cpu = cpus()[0]?.model ?? "unknown";
  return { date: new Date().toISOString(), node: process.version, cpu, commit: commitOf(root), costs };
}

function commitOf(root: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const isDirty = git(
      "--no-optional-locks",
      "status",
      "--porcelain",
      "--",
      "src",
      "bench/inside",
      "package-lock.json",
    );
    return git("rev-parse", "--short=12", "HEAD") + (isDirty === "" ? "" : "-dirty");
  } catch {
    return "unknown";
  }
}

export function writeFigures(file: string, figures: Figures): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
}

/** Undefined where nothing was saved yet. */
export function readFigures(file: string): Figures | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Figures) : undefined;
}

/** Text columns: the first to the left, the others to the right. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join("  ");
  for (const row of [header, widths.map((width) => "-".repeat(width)), ...rows]) console.log(line(row));
}
