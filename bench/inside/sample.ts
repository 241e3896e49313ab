import { idleTunnelBytes, type TunnelBytes } from "./idle-tunnels.ts";
import { keepaliveCost } from "./keepalive.ts";
import { type Effort, measure } from "./measure.ts";
import type { Scenario } from "./scenario.ts";

export interface Reading {
  readonly value: number;
  readonly unit: string;
  readonly goal?: number;
}

/** Costs as one process measured them, and what could not be measured, with the reason. */
export interface Sample {
  readonly costs: Readonly<Record<string, Reading>>;
  readonly failed: Readonly<Record<string, string>>;
}

/** A match among 50 times as many hosts may cost so many times as much: what it looks at lies farther apart in memory. */
const GROWTH_GOAL = 3;

const FULL = { effort: { warmupMs: 100, timeMs: 300 }, tunnels: [500, 1_500], asked: 9_000 } as const;
const QUICK = { effort: { warmupMs: 50, timeMs: 60 }, tunnels: [300, 800], asked: 2_000 } as const;

/** In the order of the report. */
export const GROUPS = [
  "frames",
  "gates",
  "matches",
  "decisions",
  "leases",
  "timers",
  "idle tunnels",
  "keepalive",
] as const;
export type Group = (typeof GROUPS)[number];
/** Those whose figures come of many timed runs of a few lines. */
type TimedGroup = Exclude<Group, "idle tunnels" | "keepalive">;

/** Loaded apart, so that a commit whose rooms lack something of one of them is still measured with the others. */
const SCENARIOS: Readonly<Record<TimedGroup, () => Promise<{ readonly scenarios: () => readonly Scenario[] }>>> = {
  frames: () => import("./frames.ts"),
  gates: () => import("./gates.ts"),
  matches: () => import("./matches.ts"),
  decisions: () => import("./decisions.ts"),
  leases: () => import("./leases.ts"),
  timers: () => import("./timers.ts"),
};

/** Measures one group of costs in this process. */
export async function takeSample(group: Group, isQuick: boolean): Promise<Sample> {
  const { effort, tunnels, asked } = isQuick ? QUICK : FULL;
  try {
    if (group === "idle tunnels") return { costs: await tunnelCosts(tunnels[0], tunnels[1]), failed: {} };
    if (group === "keepalive") return { costs: await keepaliveCosts(asked), failed: {} };
    const costs = measureAll((await SCENARIOS[group]()).scenarios(), effort);
    return { costs: group === "matches" ? { ...costs, ...(await growthCosts(costs)) } : costs, failed: {} };
  } catch (error) {
    return { costs: {}, failed: { [group]: error instanceof Error ? error.message : String(error) } };
  }
}

async function tunnelCosts(few: number, many: number): Promise<Sample["costs"]> {
  const { byDefault, withoutKeepalive } = await idleTunnelBytes(few, many);
  return { ...bytesCosts("idle tunnel", byDefault), ...bytesCosts("idle tunnel without keepalive", withoutKeepalive) };
}

function bytesCosts(name: string, { heapUsed, external, arrayBuffers }: TunnelBytes): Sample["costs"] {
  return {
    [`${name}, V8 heap`]: { value: heapUsed, unit: "bytes" },
    [`${name}, external`]: { value: external, unit: "bytes" },
    [`${name}, array buffers of external`]: { value: arrayBuffers, unit: "bytes" },
  };
}

async function keepaliveCosts(tunnels: number): Promise<Sample["costs"]> {
  const { usPerPing, percentOfCore } = await keepaliveCost(tunnels);
  const count = tunnels.toLocaleString("en");
  return {
    [`keepalive, a Ping and its Pong, ${count} tunnels`]: { value: usPerPing, unit: "µs" },
    [`keepalive, ${count} tunnels, of a core, at one Ping in 30 s`]: { value: percentOfCore, unit: "%" },
  };
}

function measureAll(scenarios: readonly Scenario[], effort: Effort): Sample["costs"] {
  const costs: Record<string, Reading> = {};
  for (const scenario of scenarios) {
    const { name, unit, goal } = scenario;
    costs[name] = { value: measure(scenario, effort), unit, ...(goal !== undefined && { goal }) };
  }
  return costs;
}

async function growthCosts(costs: Sample["costs"]): Promise<Sample["costs"]> {
  const { growths } = await import("./matches.ts");
  const grown: Record<string, Reading> = {};
  for (const { name, from, to } of growths()) {
    const [least, most] = [costs[from], costs[to]];
    if (least !== undefined && most !== undefined)
      grown[name] = { value: most.value / least.value, unit: "×", goal: GROWTH_GOAL };
  }
  return grown;
}
