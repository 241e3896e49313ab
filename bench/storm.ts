/**
 * 9,000 clients lose their backend at once and come back, while others go on: with and without a limit of handshakes.
 *   npm run bench:storm              three rounds, about six minutes
 *   npm run bench:storm -- --quick   one round with fewer clients
 *   npm run bench:storm -- --help
 * Prints a table, and writes it with every result to bench/results. Times hold for one machine and one run. Ends with 1
 * when a storm that met a limit was not taken as it should: a client lost, a try failed, the rate not kept.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildLoadGenerator } from "./compare/load-generator.ts";
import { commit, machine, pins } from "./compare/machine.ts";
import { descriptorLimit } from "./peers/descriptors.ts";
import { figuresOf, type StormFigures } from "./storm/figures.ts";
import { type Options, parseOptions, USAGE } from "./storm/options.ts";
import { runStorm } from "./storm/run.ts";
import { markdownTable, nameOf, type Setting } from "./storm/tables.ts";
import { faultsOf, verdictLines, verdicts } from "./storm/verdicts.ts";

/** Descriptors of the proxy's own; a tunnel takes two, a client that waits one. */
const DESCRIPTORS_APART = 1_400;

const say = (words: string): void => console.log(words);

async function storms(options: Options): Promise<number> {
  const { rounds, rates, effort } = options;
  const most = Math.floor((descriptorLimit() - DESCRIPTORS_APART) / 2);
  if (effort.clients + effort.established > most)
    throw new Error(`the limit of open files (ulimit -n ${descriptorLimit()}) leaves room for ${most} tunnels only`);
  buildLoadGenerator();
  const held = pins();
  if (held.whyNot !== undefined) say(`proxy and load share cores: ${held.whyNot}; figures will scatter`);
  const began = new Date();
  const root = mkdtempSync(join(tmpdir(), "holdfast-storm-"));
  // At exit, so that Ctrl-C leaves nothing behind either.
  process.once("exit", () => rmSync(root, { recursive: true, force: true }));
  const measured: StormFigures[] = [];
  const faults: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const rate of rates) {
      say(`round ${round} of ${rounds}: ${effort.clients} clients, ${nameOf(rate)}`);
      const folder = mkdtempSync(join(root, "storm-"));
      try {
        const figures = figuresOf(await runStorm({ effort, rate, seed: round, pins: held, folder }));
        say(`  the last was back after ${figures.lastBackSeconds.toFixed(1)} s; ${figures.failures.join("; ")}`);
        measured.push(figures);
        faults.push(...faultsOf(figures).map((words) => `round ${round}, ${words}`));
      } catch (error) {
        faults.push(`round ${round}, ${nameOf(rate)}: ${error instanceof Error ? error.message : String(error)}`);
      }
      rmSync(folder, { recursive: true, force: true });
    }
  }
  report({ options, began, isPinned: held.whyNot === undefined, measured, faults });
  return faults.length === 0 ? 0 : 1;
}

interface Outcome {
  readonly options: Options;
  readonly began: Date;
  readonly isPinned: boolean;
  readonly measured: readonly StormFigures[];
  readonly faults: readonly string[];
}

function report({ options, began, isPinned, measured, faults }: Outcome): void {
  const { rounds, effort, files } = options;
  const settings = options.rates.map((rate): Setting => {
    return { rate, rounds: measured.filter((figures) => figures.rate === rate) };
  });
  const table = markdownTable(settings);
  const { cpu, cores, node } = machine();
  const goals = verdicts(settings);
  const where = `${began.toISOString().slice(0, 10)}, commit ${commit() ?? "unknown"}; ${cores} cores (${cpu}); Node ${node}`;
  say(`\n${table}\n\n${verdictLines(goals)}\n`);
  write(files.markdown, `${where}; ${rounds} ${rounds === 1 ? "round" : "rounds"}\n\n${table}\n`);
  const settingsRecord = { rounds, ...effort, isPinned };
  const record = {
    date: began.toISOString(),
    machine: machine(),
    commit: commit(),
    settings: settingsRecord,
    goals,
    faults,
    measured,
  };
  write(files.json, `${JSON.stringify(record, null, 1)}\n`);
  say(`written: ${Object.values(files).join(", ")}`);
  if (faults.length > 0) say(`\nFAILED:\n${faults.map((words) => `  ${words}`).join("\n")}`);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") say(USAGE);
  else process.exitCode = await storms(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
