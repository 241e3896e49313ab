import { join } from "node:path";
import { parseArgs } from "node:util";
import { PEER_NAMES, type PeerName } from "../peers/peer.ts";
import { type Effort, SCENARIO_NAMES, type ScenarioName } from "./scenarios.ts";

const RESULTS = join(import.meta.dirname, "../results");
const MAX_ROUNDS = 100;

export const USAGE = `npm run bench -- [flags]
  --rounds N             rounds over everything; 3 by default
  --quick                the whole in two minutes: one round, short windows, fewer idle tunnels
  --only a,b             of the proxies: ${PEER_NAMES.join(", ")}
  --scenarios a,b        of the measurements: ${SCENARIO_NAMES.join(", ")}
  --json PATH            bench/results/compare.json by default
  --markdown PATH        bench/results/compare.md by default
  --svg PATH             bench/results/compare.svg by default
  --help                 this text
With all proxies and all measurements, live changes (bench/live.ts) are measured last.`;

export interface Options {
  readonly rounds: number;
  readonly isQuick: boolean;
  /** Nothing was left out by a flag. */
  readonly isWhole: boolean;
  readonly peers: readonly PeerName[];
  readonly scenarios: readonly ScenarioName[];
  readonly effort: Effort;
  readonly files: { readonly json: string; readonly markdown: string; readonly svg: string };
}

/** A proxy on Node is compared after its compilers are done, as it runs for all but its first seconds. */
const FULL: Effort = {
  warmupSeconds: 5,
  handshakeWarmupSeconds: 15,
  windowSeconds: 4,
  idleTunnels: 9_000,
  settleSeconds: 5,
};
/** 28 measurements in less than two minutes, together with the live changes. Node's share is too high here: it is cold. */
const QUICK: Effort = {
  warmupSeconds: 0.6,
  handshakeWarmupSeconds: 1,
  windowSeconds: 0.8,
  idleTunnels: 2_000,
  settleSeconds: 0.5,
};

/** From the words of a command line; `help` when that was asked. Throws in words that name the flag. */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: PEER_NAMES.join(",") },
      scenarios: { type: "string", default: SCENARIO_NAMES.join(",") },
      json: { type: "string", default: join(RESULTS, "compare.json") },
      markdown: { type: "string", default: join(RESULTS, "compare.md") },
      svg: { type: "string", default: join(RESULTS, "compare.svg") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const peers = namesFrom("--only", values.only, PEER_NAMES);
  const scenarios = namesFrom("--scenarios", values.scenarios, SCENARIO_NAMES);
  return {
    rounds: roundsFrom(values.rounds ?? (values.quick ? "1" : "3")),
    isQuick: values.quick,
    isWhole: peers.length === PEER_NAMES.length && scenarios.length === SCENARIO_NAMES.length,
    peers,
    scenarios,
    effort: values.quick ? QUICK : FULL,
    files: { json: values.json, markdown: values.markdown, svg: values.svg },
  };
}

function roundsFrom(words: string): number {
  const rounds = Number(words);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS) return rounds;
  throw new Error(`--rounds ${words}: whole numbers from 1 to ${MAX_ROUNDS}`);
}

/** In the order in which they are known, whatever the order of the words. */
function namesFrom<Name extends string>(flag: string, words: string, known: readonly Name[]): readonly Name[] {
  const wanted = words.split(",").map((word) => word.trim());
  const strange = wanted.find((word) => !known.some((name) => name === word));
  if (strange !== undefined) throw new Error(`${flag}: there is no ${strange || "empty name"}; ${known.join(", ")}`);
  return known.filter((name) => wanted.includes(name));
}
