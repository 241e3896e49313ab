import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Effort } from "./run.ts";

const RESULTS = join(import.meta.dirname, "../results");

export const USAGE = `npm run bench:storm -- [flags]
  --rounds N             rounds over all rates; 3 by default
  --quick                in a minute: one round, fewer clients, a short quiet window
  --rates a,b            handshakesPerSecond of the rule, "none" = no limits; none,500,1000 by default
  --clients N            who lose their backend; 9000 by default
  --first-within S       they come back at a random time within so many seconds; 1 by default, 0 = at once
  --json PATH            bench/results/storm.json by default
  --markdown PATH        bench/results/storm.md by default
  --help                 this text`;

export interface Options {
  readonly rounds: number;
  readonly isQuick: boolean;
  /** Undefined = no limits. */
  readonly rates: readonly (number | undefined)[];
  readonly effort: Effort;
  readonly files: { readonly json: string; readonly markdown: string };
}

const FULL: Effort = {
  clients: 9_000,
  established: 300,
  echoesPerSecond: 1_500,
  quietSeconds: 10,
  firstWithinSeconds: 1,
};
const QUICK: Effort = { ...FULL, clients: 2_000, established: 100, echoesPerSecond: 500, quietSeconds: 3 };

/** From the words of a command line; `help` when that was asked. Throws in words that name the flag. */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      rates: { type: "string", default: "none,500,1000" },
      clients: { type: "string" },
      "first-within": { type: "string" },
      json: { type: "string", default: join(RESULTS, "storm.json") },
      markdown: { type: "string", default: join(RESULTS, "storm.md") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const effort = values.quick ? QUICK : FULL;
  const firstWithin = values["first-within"];
  return {
    rounds: wholeNumber("--rounds", values.rounds ?? (values.quick ? "1" : "3"), 100),
    isQuick: values.quick,
    rates: values.rates.split(",").map(rateFrom),
    effort: {
      ...effort,
      clients: values.clients === undefined ? effort.clients : wholeNumber("--clients", values.clients, 100_000),
      firstWithinSeconds: firstWithin === undefined ? effort.firstWithinSeconds : secondsFrom(firstWithin),
    },
    files: { json: values.json, markdown: values.markdown },
  };
}

function rateFrom(words: string): number | undefined {
  return words.trim() === "none" ? undefined : wholeNumber("--rates", words.trim(), 100_000);
}

function secondsFrom(words: string): number {
  const seconds = Number(words);
  if (words !== "" && seconds >= 0 && seconds <= 60) return seconds;
  throw new Error(`--first-within ${words}: seconds from 0 to 60`);
}

function wholeNumber(flag: string, words: string, most: number): number {
  const value = Number(words);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`${flag} ${words}: whole numbers from 1 to ${most}`);
}
