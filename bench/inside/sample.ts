import { idleTunnelBytes } from "./idle-tunnels.ts";
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

const FULL = { effort: { warmupMs: 100, timeMs: 300 }, tunnels: [500, 1_500] } as const;
const QUICK = { effort: { warmupMs: 50, timeMs: 60 }, tunnels: [300, 800] } as const;

/** In the order of the report. */
export const GROUPS = ["frames", "matches", "decisions", "leases", "timers", "idle tunnels"] as const;
export type Group = (typeof GROUPS)[number];

/** Loaded apart, so that a commit whose rooms lack something of one of them is still measured with the others. */
const SCENARIOS: Readonly<
  Record<Exclude<Group, "idle tunnels">, () => Promise<{ readonly scenarios: () => readonly Scenario[] }>>
> = {
  frames: () => import("./frames.ts"),
  matches: () => import("./matches.ts"),
  decisions: () => import("./decisions.ts"),
  leases: () => import("./leases.ts"),
  timers: () => import("./timers.ts"),
};

/** Measures one group of costs in this process. */
export async function takeSample(group: Group, isQuick: boolean): Promise<Sample> {
  const { effort, tunnels } = isQuick ? QUICK : FULL;
  try {
    if (group === "idle tunnels") return { costs: await tunnelCosts(tunnels[0], tunnels[1]), failed: {} };
    const costs = measureAll((await SCENARIOS[group]()).scenarios(), effort);
    return { costs: group === "matches" ? { ...costs, ...(await growthCosts(costs)) } : costs, failed: {} };
  } catch (error) {
    return { costs: {}, failed: { [group]: error instanceof Error ? error.message : String(error) } };
  }
}

async function tunnelCosts(few: number, many: number): Promise<Sample["costs"]> {
  const { heapUsed, external, arrayBuffers } = await idleTunnelBytes(few, many);
  return {
    "idle tunnel, V8 heap": { value: heapUsed, unit: "bytes" },
    "idle tunnel, external": { value: external, unit: "bytes" },
    "idle tunnel, array buffers of external": { value: arrayBuffers, unit: "bytes" },
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
