import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian keeps servers where only root's PATH leads, Go's own installer keeps Go where none does. */
const BEYOND_PATH = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin"];

/** The path of a program; undefined when the machine does not have it. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...BEYOND_PATH];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** What a program says to `args`, on both outputs; empty when it does not run. */
export function saying(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return `${stdout ?? ""}${stderr ?? ""}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
