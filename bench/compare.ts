/**
 * Holdfast beside NGINX, HAProxy and http-proxy-3, in interleaved rounds.
 *   npm run bench              three rounds and the live changes, about 25 minutes
 *   npm run bench -- --quick   two minutes
 *   npm run bench -- --help
 * Prints tables, and writes JSON with every result, a Markdown table and a plot to bench/results. Absolute figures hold
 * for one machine and one run: read the ratios to NGINX. Ends with 1 when a measurement failed or had errors.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildLoadGenerator } from "./compare/load-generator.ts";
import { pins } from "./compare/machine.ts";
import { type Options, parseOptions, USAGE } from "./compare/options.ts";
import { report } from "./compare/report.ts";
import { runRounds } from "./compare/rounds.ts";
import { type Effort, scenarios } from "./compare/scenarios.ts";
import { PEERS } from "./peers/all-peers.ts";
import { installPrograms } from "./peers/debian-packages.ts";
import { descriptorLimit } from "./peers/descriptors.ts";
import type { Peer, PeerName } from "./peers/peer.ts";

/** A tunnel takes two of the proxy's descriptors; some are its own. */
const DESCRIPTORS_APART = 500;

const say = (words: string): void => console.log(words);

/** The idle tunnels that the descriptor limit of the machine leaves room for. */
function affordable(effort: Effort): Effort {
  const most = Math.floor((descriptorLimit() - DESCRIPTORS_APART) / 2);
  if (effort.idleTunnels <= most) return effort;
  say(`only ${most} idle tunnels: the limit of open files is ${descriptorLimit()} (ulimit -n)`);
  return { ...effort, idleTunnels: most };
}

/** Of those wanted the ones that are there, with their versions; the others are named. */
async function present(options: Options): Promise<ReadonlyMap<Peer, string>> {
  await installPrograms(options.peers, say);
  const found = new Map<Peer, string>();
  for (const peer of PEERS.filter(({ name }) => options.peers.includes(name))) {
    const version = peer.version();
    if (version !== undefined) found.set(peer, version);
    else if (process.env["CI"] === "true" || peer.name === "holdfast") {
      throw new Error(`${peer.name} is missing: ${peer.howToGet}.`);
    } else say(`${peer.name} is missing and left out: ${peer.howToGet}`);
  }
  if (![...found.keys()].some(({ name }) => name === "nginx")) say("without nginx there are no ratios and no goals");
  return found;
}

async function compare(options: Options): Promise<number> {
  const began = new Date();
  const found = await present(options);
  buildLoadGenerator();
  const held = pins();
  if (held.whyNot !== undefined) say(`proxy and load share cores: ${held.whyNot}; figures will scatter`);
  const effort = affordable(options.effort);
  if (options.isQuick) say(`quick: windows of ${effort.windowSeconds} s and ${effort.idleTunnels} idle tunnels`);
  say([...found].map(([{ name }, version]) => `${name} ${version}`).join(", "));
  const planned = scenarios(effort).filter(({ name }) => options.scenarios.includes(name));
  const folder = mkdtempSync(join(tmpdir(), "holdfast-compare-"));
  // At exit, so that Ctrl-C leaves nothing behind either.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const plan = { rounds: options.rounds, scenarios: planned, peers: [...found.keys()], pins: held, folder };
  const outcome = await runRounds(plan, say);
  const versions = new Map<PeerName, string>([...found].map(([{ name }, version]) => [name, version]));
  report({ options: { ...options, effort }, scenarios: planned, versions, pins: held, began, outcome }, say);
  const isLiveSound = !options.isWhole || liveChanges(options);
  return outcome.failures.length === 0 && isLiveSound ? 0 : 1;
}

/** How fast changes go live and what tunnels feel of them: of Holdfast alone, since the others restart or reload. */
function liveChanges({ isQuick }: Options): boolean {
  const args = [join(import.meta.dirname, "live.ts"), ...(isQuick ? ["--quick"] : [])];
  return spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") say(USAGE);
  else process.exitCode = await compare(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
