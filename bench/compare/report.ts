import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { PeerName } from "../peers/peer.ts";
import { commit, machine, type Pins } from "./machine.ts";
import type { Options } from "./options.ts";
import { ratioPlot } from "./plot.ts";
import type { Failure, Outcome } from "./rounds.ts";
import type { Scenario } from "./scenarios.ts";
import { type FigureSummary, summarize, type Verdict, verdicts } from "./statistics.ts";
import { goalTable, markdownTable, terminalTables } from "./tables.ts";

export interface ReportFacts {
  readonly options: Options;
  readonly scenarios: readonly Scenario[];
  /** Of the proxies that took part. */
  readonly versions: ReadonlyMap<PeerName, string>;
  readonly pins: Pins;
  readonly began: Date;
  readonly outcome: Outcome;
}

/** Prints the tables and writes JSON, Markdown and SVG. */
export function report(facts: ReportFacts, say: (words: string) => void): void {
  const { options, scenarios, outcome } = facts;
  const peers = [...facts.versions.keys()];
  const figures = summarize(scenarios, peers, outcome.measurements);
  const reached = verdicts(figures);
  say(`\n${terminalTables(scenarios, figures)}\n\n${goalTable(reached)}\n`);
  const words = context(facts);
  write(options.files.json, `${JSON.stringify(record(facts, figures, reached), null, 1)}\n`);
  write(options.files.markdown, `${words.join("; ")}\n\n${markdownTable(figures, peers)}\n`);
  write(options.files.svg, ratioPlot(figures, { title: "WebSocket proxies beside NGINX", subtitle: words }));
  say(`written: ${Object.values(options.files).join(", ")}`);
  if (outcome.failures.length > 0) say(`\nFAILED:\n${outcome.failures.map(failureLine).join("\n")}`);
}

/** When, where, how often; and who took part. */
function context({ options, versions, pins, began }: ReportFacts): readonly string[] {
  const { cpu, cores, node } = machine();
  const names = [...versions].map(([name, version]) => `${name} ${version}`).join(", ");
  const rounds = `${options.rounds} ${options.rounds === 1 ? "round" : "rounds"}${options.isQuick ? ", quick" : ""}`;
  const held = pins.whyNot === undefined ? "proxy and load on a core each" : `not held to cores: ${pins.whyNot}`;
  const when = `${began.toISOString().slice(0, 10)}, commit ${commit() ?? "unknown"}`;
  return [`${when}; ${cores} cores (${cpu}); ${rounds}; ${held}`, `Node ${node}, ${names}`];
}

function record(
  { options, versions, pins, began, outcome }: ReportFacts,
  figures: readonly FigureSummary[],
  goals: readonly Verdict[],
): Record<string, unknown> {
  return {
    date: began.toISOString(),
    machine: machine(),
    commit: commit(),
    versions: Object.fromEntries(versions),
    settings: {
      rounds: options.rounds,
      isQuick: options.isQuick,
      ...options.effort,
      isPinned: pins.whyNot === undefined,
    },
    figures,
    goals,
    failures: outcome.failures,
    measurements: outcome.measurements,
  };
}

function failureLine({ round, scenario, peer, words }: Failure): string {
  return `  round ${round}, ${scenario}, ${peer}: ${words}`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
