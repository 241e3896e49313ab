/** What a process can learn about the memory it may use. */
export interface MemoryFacts {
  /** Node's own answer, `process.constrainedMemory()`: of this process's own cgroup only, 0 or 2^64 where it knows none. */
  readonly constrainedBytes: number;
  /** Of the whole machine. */
  readonly machineBytes: number;
  /** The text of a file; undefined where there is none, or it may not be read. */
  readonly readText: (path: string) => string | undefined;
}

const CGROUPS = "/sys/fs/cgroup";

/**
 * How much memory the kernel lets this process have: the smallest of the limits of its cgroup and of all above it
 * (kernel documentation, cgroup-v2.rst `memory.max` and `memory.high`, cgroup-v1/memory.rst `memory.limit_in_bytes`), or
 * what the machine has. A container mostly sees its own cgroup as the root.
 */
export function memoryLimit({ constrainedBytes, machineBytes, readText }: MemoryFacts): number {
  const files = (readText("/proc/self/cgroup") ?? "").split("\n").flatMap(limitFiles);
  const limits = files.map((file) => Number((readText(file) ?? "").trim()));
  // `max` is no number, and 0 says that nothing is known.
  return Math.min(machineBytes, ...[constrainedBytes, ...limits].filter((bytes) => bytes > 0));
}

/** Where the limits that one line of /proc/self/cgroup is about may stand: `0::/a/b`, or `4:memory:/a/b` of version 1. */
function limitFiles(line: string): readonly string[] {
  const [, controllers, path = "/"] = line.split(":");
  if (controllers === "") {
    return selfAndAbove(path).flatMap((at) => [`${CGROUPS}${at}/memory.max`, `${CGROUPS}${at}/memory.high`]);
  }
  if (controllers?.split(",").includes("memory") !== true) return [];
  return selfAndAbove(path).map((at) => `${CGROUPS}/memory${at}/memory.limit_in_bytes`);
}

/** `/a/b` → `/a/b`, `/a` and the root, which is empty. */
function selfAndAbove(path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "");
  // A path that leads out of what this process sees (cgroup_namespaces(7)) has nothing but the root in it.
  if (names.includes("..")) return [""];
  return Array.from({ length: names.length + 1 }, (_, above) => {
    return names
      .slice(0, names.length - above)
      .map((name) => `/${name}`)
      .join("");
  });
}
