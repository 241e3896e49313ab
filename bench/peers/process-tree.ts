import { readdirSync, readFileSync } from "node:fs";

/** One process as /proc/PID/stat tells of it (proc_pid_stat(5)). */
export interface ProcessFact {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** In clock ticks since boot: with the pid it names one process for ever, since pids are used again. */
  readonly startedAt: number;
}

/** The fields of one line of /proc/PID/stat; undefined when it is none. The name may hold spaces and brackets. */
export function parseStat(text: string): ProcessFact | undefined {
  const match = /^(\d+) \((.*)\) (.+)$/s.exec(text);
  const fields = match?.[3]?.split(" ") ?? [];
  const [parent, startedAt] = [Number(fields[1]), Number(fields[19])];
  if (match === null || !Number.isInteger(parent) || !Number.isInteger(startedAt)) return undefined;
  return { pid: Number(match[1]), parent, name: match[2] ?? "", startedAt };
}

/** What runs now on the machine, as far as it can be read. */
export function runningProcesses(): readonly ProcessFact[] {
  const found: ProcessFact[] = [];
  for (const entry of readdirSync("/proc")) {
    const fact = /^\d+$/.test(entry) ? factOf(Number(entry)) : undefined;
    if (fact !== undefined) found.push(fact);
  }
  return found;
}

/** A process and all that descend from it, itself first; empty when it is gone. Threads are no processes of their own. */
export function processTree(root: number): readonly ProcessFact[] {
  const all = runningProcesses();
  const tree = all.filter(({ pid }) => pid === root);
  for (let index = 0; index < tree.length; index++)
    tree.push(...all.filter(({ parent }) => parent === tree[index]?.pid));
  return tree;
}

/** Whether it is this very process that still runs, and not another one with its pid. A zombie counts as ended. */
export function isRunning({ pid, startedAt }: ProcessFact): boolean {
  return factOf(pid)?.startedAt === startedAt && !/^State:\s+Z/m.test(readOrNothing(`/proc/${pid}/status`));
}

function factOf(pid: number): ProcessFact | undefined {
  return parseStat(readOrNothing(`/proc/${pid}/stat`));
}

/** A process may end between being listed and being read. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
