import { expect, test } from "vitest";
import { memoryLimit } from "./memory-limit.ts";

const MIB = 2 ** 20;
const MACHINE = 8_192 * MIB;
/** What Node says where it knows no limit. */
const UNKNOWN = 2 ** 64;

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly constrainedBytes?: number;
  readonly want: number;
}

test.for<Case>([
  { name: "without cgroups it is the machine's", files: {}, want: MACHINE },
  { name: "and so it is where Node says 0", files: {}, constrainedBytes: 0, want: MACHINE },
  { name: "what Node knows counts", files: {}, constrainedBytes: 300 * MIB, want: 300 * MIB },
  {
    name: "a container with cgroups of version 2 sees its limit at the root",
    files: { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": `${512 * MIB}\n` },
    want: 512 * MIB,
  },
  {
    name: "max is no limit",
    files: { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n" },
    want: MACHINE,
  },
  {
    name: "a limit that slows down before it kills counts",
    files: {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/memory.max": `${512 * MIB}\n`,
      "/sys/fs/cgroup/memory.high": `${400 * MIB}\n`,
    },
    want: 400 * MIB,
  },
  {
    name: "the smallest limit above this process's cgroup counts, which Node does not look for",
    files: {
      "/proc/self/cgroup": "0::/system.slice/edge.slice/holdfast.service\n",
      "/sys/fs/cgroup/system.slice/edge.slice/holdfast.service/memory.max": "max\n",
      "/sys/fs/cgroup/system.slice/edge.slice/memory.max": `${256 * MIB}\n`,
      "/sys/fs/cgroup/system.slice/memory.max": `${1_024 * MIB}\n`,
    },
    want: 256 * MIB,
  },
  {
    name: "version 1 has a file and a tree of its own",
    files: {
      "/proc/self/cgroup": "5:cpu,cpuacct:/a\n4:hugetlb,memory:/kubepods/pod1/c1\n0::/\n",
      "/sys/fs/cgroup/memory/kubepods/pod1/c1/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes": `${700 * MIB}\n`,
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    },
    want: 700 * MIB,
  },
  {
    name: "version 1 in a container that sees its own cgroup as the root, under its name outside",
    files: {
      "/proc/self/cgroup": "4:memory:/docker/c1\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${700 * MIB}\n`,
    },
    want: 700 * MIB,
  },
  {
    name: "a path out of what can be seen is no more than the root",
    files: {
      "/proc/self/cgroup": "0::/../other\n",
      "/sys/fs/cgroup/../other/memory.max": "1\n",
      "/sys/fs/cgroup/memory.max": `${64 * MIB}\n`,
    },
    want: 64 * MIB,
  },
  {
    name: "a limit above what the machine has is none",
    files: { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": `${MACHINE * 2}\n` },
    want: MACHINE,
  },
  { name: "what cannot be read is no limit", files: { "/proc/self/cgroup": "\u0000::::" }, want: MACHINE },
])("$name", ({ files, constrainedBytes = UNKNOWN, want }) => {
  expect(memoryLimit({ constrainedBytes, machineBytes: MACHINE, readText: (path) => files[path] })).toBe(want);
});
