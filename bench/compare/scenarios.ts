import type { LoadResult } from "./load-generator.ts";

export const SCENARIO_NAMES = ["handshakes", "echo-100", "echo-1000", "echo-rate", "bulk", "idle", "fanout"] as const;
export type ScenarioName = (typeof SCENARIO_NAMES)[number];

/** How long and how large the measurements are. */
export interface Effort {
  /** Before the window: connections are opened, compilers get their work done. */
  readonly warmupSeconds: number;
  /** Of handshakes: each walks through so much code that V8's last compiler has it only after tens of thousands. */
  readonly handshakeWarmupSeconds: number;
  /** What is measured. */
  readonly windowSeconds: number;
  readonly idleTunnels: number;
  /** Between the last echo and the reading of the memory. */
  readonly settleSeconds: number;
}

/** What is wanted of Holdfast, as a ratio to NGINX in the same round. */
export interface Goal {
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** One number taken from a result. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  readonly goal?: Goal;
  readonly of: (result: LoadResult) => number;
}

export interface Scenario {
  readonly name: ScenarioName;
  readonly title: string;
  /** The generator's command and its flags, without target and pids. */
  readonly command: readonly string[];
  /** How long it should take at most, to tell slow from stuck. */
  readonly seconds: number;
  readonly figures: readonly Figure[];
}

/**
 * Messages per second over all tunnels in `echo-rate`, so that latency is that of a proxy with room left and not that of
 * a queue. Measured on a busy machine of two cores: the slowest peers took 45 to 60 µs for an echo, so a core of theirs
 * is full at about 20,000. At 10,000 they would be half busy, but the core of the load, where the generator and the
 * backend wake for each message, would be past its own half too and queue before they do. At 5,000 a proxy's core is a
 * quarter to a third busy and the load still keeps its schedule.
 */
const FIXED_RATE = 5_000;
const MIB = 1_048_576;

/** Every measurement there is, in the order in which they are made. */
export function scenarios(effort: Effort): readonly Scenario[] {
  const { warmupSeconds, handshakeWarmupSeconds, windowSeconds, idleTunnels, settleSeconds } = effort;
  const windowAfter = (warmup: number): readonly string[] => {
    return ["--warmup", String(warmup), "--seconds", String(windowSeconds)];
  };
  const window = windowAfter(warmupSeconds);
  const seconds = warmupSeconds + windowSeconds;
  const echoes = (tunnels: number, bytes: number, ...more: readonly string[]): readonly string[] => [
    "echoes",
    "--tunnels",
    String(tunnels),
    "--bytes",
    String(bytes),
    ...window,
    ...more,
  ];
  const cpuPerMessage: Figure = { ...CPU, name: "CPU per message", goal: { atMost: 1.7 } };
  return [
    {
      name: "handshakes",
      title: "Handshakes, 32 at a time, each closed again",
      command: ["handshakes", "--concurrency", "32", ...windowAfter(handshakeWarmupSeconds)],
      seconds: handshakeWarmupSeconds + windowSeconds,
      figures: [
        { ...CPU, name: "CPU per handshake", goal: { atMost: 2.5 } },
        { ...RATE, unit: "handshakes/s" },
      ],
    },
    {
      name: "echo-100",
      title: "Echoes of 64 bytes over 100 tunnels, one in flight on each",
      command: echoes(100, 64),
      seconds,
      figures: [cpuPerMessage, { ...RATE, unit: "messages/s" }],
    },
    {
      name: "echo-1000",
      title: "Echoes of 64 bytes over 1,000 tunnels, one in flight on each",
      command: echoes(1_000, 64),
      seconds,
      figures: [cpuPerMessage, { ...RATE, unit: "messages/s" }],
    },
    {
      name: "echo-rate",
      title: `Echoes of 64 bytes over 100 tunnels at ${FIXED_RATE.toLocaleString("en")} a second, timed from their schedule`,
      command: echoes(100, 64, "--rate", String(FIXED_RATE)),
      seconds,
      figures: [{ ...P50 }, { ...P99, goal: { atMost: 1.3 } }, { ...CPU, name: "CPU per message" }],
    },
    {
      name: "bulk",
      title: "Echoes of 1 MiB over 4 tunnels, one in flight on each",
      command: echoes(4, MIB),
      seconds,
      figures: [THROUGHPUT, CPU_PER_MEGABYTE],
    },
    {
      name: "idle",
      title: `${idleTunnels.toLocaleString("en")} idle tunnels`,
      command: ["idle", "--tunnels", String(idleTunnels), "--settle", String(settleSeconds)],
      // Opened one after another, in the worst case.
      seconds: settleSeconds + idleTunnels / 200,
      figures: [MEMORY_PER_TUNNEL, MEMORY_BEFORE],
    },
    {
      name: "fanout",
      title: "One message of 64 bytes to each of 1,000 tunnels every 100 ms",
      command: ["fanout", "--tunnels", "1000", "--every", "100", "--bytes", "64", ...window],
      seconds,
      figures: [{ ...P50 }, { ...P99 }, { ...CPU, name: "CPU per message" }],
    },
  ];
}

const CPU = { unit: "µs", better: "lower", of: (r: LoadResult) => r.cpuUs.watched / r.units } as const;
const RATE = { name: "rate", better: "higher", of: (r: LoadResult) => r.perSecond } as const;
const P50: Figure = { name: "latency p50", unit: "µs", better: "lower", of: (r) => r.latencyUs.p50 };
const P99: Figure = { name: "latency p99", unit: "µs", better: "lower", of: (r) => r.latencyUs.p99 };

/** A megabyte is 10^6 bytes that went to the backend and came back. */
const THROUGHPUT: Figure = {
  name: "throughput",
  unit: "MB/s",
  better: "higher",
  goal: { atLeast: 2 },
  of: (r) => r.bytes / 1e6 / r.seconds,
};
const CPU_PER_MEGABYTE: Figure = {
  name: "CPU per MB",
  unit: "ms",
  better: "lower",
  of: (r) => r.cpuUs.watched / 1e3 / (r.bytes / 1e6),
};
const MEMORY_PER_TUNNEL: Figure = {
  name: "memory per tunnel (PSS)",
  unit: "kB",
  better: "lower",
  goal: { atMost: 0.75 },
  of: (r) => (r.pssBytes === undefined ? Number.NaN : (r.pssBytes.after - r.pssBytes.before) / 1e3 / r.tunnels),
};
const MEMORY_BEFORE: Figure = {
  name: "memory of the process before (PSS)",
  unit: "MB",
  better: "lower",
  of: (r) => (r.pssBytes === undefined ? Number.NaN : r.pssBytes.before / 1e6),
};
