import { Bench } from "tinybench";
import type { Scenario } from "./scenario.ts";

export interface Effort {
  /** Milliseconds of processor time for each scenario. */
  readonly warmupMs: number;
  readonly timeMs: number;
}

const PER_MILLISECOND = { ns: 1e6, µs: 1e3 };

/**
 * Processor time of all threads of this process, in milliseconds: what the others on the machine do is not in it, and
 * what the garbage collector does beside us is.
 */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** What one unit costs on average, in the scenario's unit; collections of garbage count, so no median here. */
export function measure(scenario: Scenario, effort: Effort): number {
  const { prepare, run, expected } = scenario.setup();
  global.gc?.();
  const bench = new Bench({
    now: processorTime,
    time: effort.timeMs,
    warmupTime: effort.warmupMs,
    iterations: 10,
    throws: true,
  });
  const once = (): void => {
    const result = run();
    if (result !== expected) throw new Error(`${scenario.name}: ${result} instead of ${expected}`);
  };
  bench.add(scenario.name, once, { async: false, ...(prepare !== undefined && { beforeEach: prepare }) });
  const [task] = bench.runSync();
  const result = task?.result;
  if (result?.state !== "completed") throw new Error(`${scenario.name}: ${result?.state}`);
  return (result.latency.mean / scenario.units) * PER_MILLISECOND[scenario.unit];
}
