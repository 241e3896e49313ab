import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { findProgram } from "../peers/programs.ts";

const ROOT = join(import.meta.dirname, "../..");

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
}

export function machine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? "unknown",
    cores: cores.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
}

/** The commit checked out, with a word when files differ from it; undefined where git does not say. */
export function commit(): string | undefined {
  const git = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync("git", ["--no-optional-locks", ...args], { cwd: ROOT, encoding: "utf8" });
  const { status, stdout } = git("rev-parse", "--short", "HEAD");
  if (status !== 0) return undefined;
  return `${String(stdout).trim()}${git("diff", "--quiet", "HEAD").status === 0 ? "" : " with changes"}`;
}

/** What to put before a command to hold it to a core: the proxy to one, load and backend to another. */
export interface Pins {
  readonly proxy: readonly string[];
  readonly load: readonly string[];
  /** Why nothing is held to a core. */
  readonly whyNot: string | undefined;
}

export function pins(): Pins {
  const none = { proxy: [], load: [] };
  const [first, second] = allowedCores(readFileSync("/proc/self/status", "utf8"));
  if (first === undefined || second === undefined) return { ...none, whyNot: "there is one core only" };
  if (findProgram("taskset") === undefined) return { ...none, whyNot: "there is no taskset (util-linux)" };
  const pin = (core: number): readonly string[] => ["taskset", "-c", String(core)];
  return { proxy: pin(first), load: pin(second), whyNot: undefined };
}

/** The cores that this process may run on, from /proc/self/status (`Cpus_allowed_list: 0-2,5`). */
export function allowedCores(status: string): readonly number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split("-").map(Number);
    return range === "" ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
