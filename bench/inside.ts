/**
 * What the hot path costs inside the process, which the noise of a whole system hides.
 *   npm run bench:inside                    every cost, beside the saved figures
 *   npm run bench:inside -- --quick         in less than a minute
 *   npm run bench:inside -- --save          and keeps them in bench/figures/inside.json
 *   npm run bench:inside -- --against HEAD~1   a commit and the working tree in turns; --pairs 10 for small differences
 *   npm run bench:inside -- --only matches     one group of costs; may stand more than once
 * Prints a table and writes bench/results/inside.json.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compareWith } from "./inside/against.ts";
import { type Figures, figuresOf, printTable, readFigures, writeFigures } from "./inside/figures.ts";
import { type Group, GROUPS, type Sample, takeSample } from "./inside/sample.ts";
import { type Costs, costsOf, goalsOf, sampleInTurns, type Sampling } from "./inside/take-samples.ts";

const SAMPLES = 5;
const QUICK_SAMPLES = 3;
/** 9,000 tunnels take ten seconds each time. */
const LONG_GROUPS: ReadonlySet<Group> = new Set(["keepalive"]);
const LONG_SAMPLES = 3;
const QUICK_LONG_SAMPLES = 1;
const MIN_PAIRS = 3;
const PAIRS = 5;

const ROOT = join(import.meta.dirname, "..");
const RESULTS = join(import.meta.dirname, "results/inside.json");
const SAVED = join(import.meta.dirname, "figures/inside.json");

async function measureAndReport(sampling: Sampling, kept: readonly string[]): Promise<void> {
  const { isQuick, groups } = sampling;
  const take = async (count: number, isLong: boolean): Promise<readonly Sample[]> => {
    const some = { isQuick, groups: groups.filter((group) => LONG_GROUPS.has(group) === isLong) };
    const taken: Sample[] = [];
    while (taken.length < count) taken.push(...(await sampleInTurns([ROOT], some)));
    return taken;
  };
  const short = await take(isQuick ? QUICK_SAMPLES : SAMPLES, false);
  const long = await take(isQuick ? QUICK_LONG_SAMPLES : LONG_SAMPLES, true);
  const samples = [...short, ...long];
  const costs = { ...costsOf(short), ...costsOf(long) };
  report(costs, goalsOf(short[0]), readFigures(SAVED));
  const failures = samples.flatMap(({ failed }) => Object.entries(failed));
  if (failures.length > 0) throw new Error(failures.map(([group, why]) => `${group}: ${why}`).join("\n"));
  const figures = figuresOf(ROOT, costs);
  for (const file of kept) writeFigures(file, figures);
}

function report(costs: Costs, goals: ReadonlyMap<string, number>, saved: Figures | undefined): void {
  if (saved === undefined) console.log("No figures are saved yet: --save keeps these.");
  else console.log(`Saved: ${saved.date.slice(0, 10)}, ${saved.commit}, Node ${saved.node}, ${saved.cpu}`);
  const rows = Object.entries(costs).map(([name, { value, unit, spread }]) => {
    const goal = goals.get(name);
    const before = saved?.costs[name];
    return [
      name,
      String(value),
      unit,
      `${spread} %`,
      goal === undefined ? "" : `${value > goal ? "MISSED " : ""}≤ ${goal}`,
      before === undefined ? "" : String(before.value),
      before === undefined ? "" : (value / before.value).toFixed(2),
    ];
  });
  printTable(["cost", "median", "unit", "spread", "goal", "saved", "ratio"], rows);
}

function groupOf(name: string): Group {
  const group = GROUPS.find((known) => known === name);
  if (group === undefined) throw new Error(`no such group of costs: ${name}; there are ${GROUPS.join(", ")}`);
  return group;
}

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    against: { type: "string" },
    pairs: { type: "string", default: String(PAIRS) },
    // One sample of a group as JSON: how the processes of a run, of this commit or another, are asked.
    sample: { type: "string" },
  },
});
const sampling: Sampling = { groups: flags.only?.map(groupOf) ?? GROUPS, isQuick: flags.quick };
if (flags.save && flags.only !== undefined) throw new Error("--save keeps all costs or none: leave out --only");
if (flags.sample !== undefined) {
  process.stdout.write(JSON.stringify(await takeSample(groupOf(flags.sample), flags.quick)));
} else if (flags.against === undefined) {
  await measureAndReport(sampling, flags.save ? [RESULTS, SAVED] : [RESULTS]);
} else {
  const pairs = Math.max(MIN_PAIRS, Math.floor(Number(flags.pairs)) || PAIRS);
  await compareWith(ROOT, { ref: flags.against, pairs, ...sampling });
}
