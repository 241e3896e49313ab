import { readFileSync } from "node:fs";

/** What a process of ours may have open at once (its hard limit), from /proc/self/limits. */
export function descriptorLimit(): number {
  const match = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
  const limit = Number(match?.[1]);
  return Number.isInteger(limit) ? limit : Number.MAX_SAFE_INTEGER;
}
