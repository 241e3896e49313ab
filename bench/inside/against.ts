import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printTable } from "./figures.ts";
import type { Sample } from "./sample.ts";
import { type Cost, costsOf, median, sampleInTurns, type Sampling } from "./take-samples.ts";

/** A smaller difference is a finding only if so many pairs agree. */
const NOTABLE = 0.25;
const MANY_PAIRS = 10;

export interface Comparison extends Sampling {
  /** The commit to compare with. */
  readonly ref: string;
  readonly pairs: number;
}

/** Measures that commit and the working tree in turns, and prints both with their ratios pair by pair. */
export async function compareWith(root: string, { ref, pairs, ...sampling }: Comparison): Promise<void> {
  using before = ExportedCommit.of(root, ref);
  console.log(`A = ${before.commit}, B = the working tree; ${pairs} pairs in turns`);
  if (before.isLent) console.log("A has no bench/inside.ts: measured with B's scenarios, where they can run");
  else if (before.differs) console.log("The scenarios of A and B differ: a ratio may come from the measurement itself");
  const taken: { readonly a: Sample; readonly b: Sample }[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    const [a, b] = await sampleInTurns([before.folder, root], sampling);
    if (a !== undefined && b !== undefined) taken.push({ a, b });
    console.log(`pair ${pair} of ${pairs} measured`);
  }
  report(taken);
}

function report(taken: readonly { readonly a: Sample; readonly b: Sample }[]): void {
  const [before, after] = [costsOf(taken.map(({ a }) => a)), costsOf(taken.map(({ b }) => b))];
  const rows: string[][] = [];
  for (const [name, cost] of Object.entries(after)) {
    const old = before[name];
    if (old !== undefined) rows.push(row(name, old, cost, ratiosOf(taken, name)));
  }
  printTable(["cost", "A", "B", "unit", "B/A", "pair by pair", ""], rows);
  const lone = [...Object.keys(after), ...Object.keys(before)].filter((name) => !(name in before && name in after));
  if (lone.length > 0) console.log(`Only on one side: ${lone.join("; ")}`);
  for (const [side, sample] of Object.entries(taken[0] ?? {}))
    for (const [group, why] of Object.entries((sample as Sample).failed))
      console.log(`${side.toUpperCase()}: ${group} could not be measured: ${why}`);
}

function ratiosOf(taken: readonly { readonly a: Sample; readonly b: Sample }[], name: string): readonly number[] {
  return taken.map(({ a, b }) => (b.costs[name]?.value ?? Number.NaN) / (a.costs[name]?.value ?? Number.NaN));
}

function row(name: string, before: Cost, after: Cost, ratios: readonly number[]): string[] {
  const middle = median(ratios);
  const isNotable = ratios.length >= MANY_PAIRS || Math.abs(Math.log(middle)) > Math.log(1 + NOTABLE);
  const isMore = isNotable && ratios.every((ratio) => ratio > 1);
  const isLess = isNotable && ratios.every((ratio) => ratio < 1);
  return [
    name,
    String(before.value),
    String(after.value),
    after.unit,
    middle.toFixed(2),
    ratios.map((ratio) => ratio.toFixed(2)).join(" "),
    isMore ? "more" : isLess ? "less" : "",
  ];
}

/** The files of a commit in a folder of their own, with the packages that are installed here. */
class ExportedCommit implements Disposable {
  readonly folder: string;
  readonly commit: string;
  /** It had no benchmark of its own and was given ours. */
  readonly isLent: boolean;
  /** Its scenarios are not ours. */
  readonly differs: boolean;

  private constructor(root: string, commit: string, folder: string) {
    this.folder = folder;
    this.commit = commit;
    this.isLent = !existsSync(join(folder, "bench/inside.ts"));
    if (this.isLent) {
      cpSync(join(root, "bench/inside.ts"), join(folder, "bench/inside.ts"));
      cpSync(join(root, "bench/inside"), join(folder, "bench/inside"), { recursive: true });
    }
    this.differs = textOf(root) !== textOf(folder);
  }

  static of(root: string, ref: string): ExportedCommit {
    const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
    const commit = git("rev-parse", "--short=12", "--verify", "--end-of-options", `${ref}^{commit}`);
    const folder = mkdtempSync(join(tmpdir(), "holdfast-inside-"));
    const archive = join(folder, ".archive.tar");
    git("archive", "--format=tar", `--output=${archive}`, commit);
    execFileSync("tar", ["-xf", archive, "-C", folder]);
    rmSync(archive);
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    return new ExportedCommit(root, commit, folder);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function textOf(root: string): string {
  const folder = join(root, "bench/inside");
  if (!existsSync(folder)) return "";
  return readdirSync(folder)
    .toSorted()
    .map((file) => file + readFileSync(join(folder, file), "utf8"))
    .join("\n");
}
