import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Peer, PeerName } from "../peers/peer.ts";
import { Backend, measure } from "./load-generator.ts";
import type { Pins } from "./machine.ts";
import type { Scenario, ScenarioName } from "./scenarios.ts";
import type { Measurement } from "./statistics.ts";

/** What went wrong, in words. */
export interface Failure {
  readonly round: number;
  readonly scenario: ScenarioName;
  readonly peer: PeerName;
  readonly words: string;
}

export interface Plan {
  readonly rounds: number;
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly Peer[];
  readonly pins: Pins;
  /** Where each proxy gets a folder of its own. */
  readonly folder: string;
}

export interface Outcome {
  readonly measurements: readonly Measurement[];
  readonly failures: readonly Failure[];
}

/**
 * Measures every proxy in every scenario, round by round, so that all of them meet the same weather. Who goes first
 * differs from round to round. Each measurement has a fresh proxy and a fresh backend: none inherits the memory, the
 * half-closed connections or the warm compiler of what was measured before. A failure is noted and the rest goes on.
 */
export async function runRounds(plan: Plan, say: (words: string) => void): Promise<Outcome> {
  const measurements: Measurement[] = [];
  const failures: Failure[] = [];
  for (const turn of turns(plan)) {
    const where = { round: turn.round, scenario: turn.scenario.name, peer: turn.peer.name };
    say(`round ${where.round} of ${plan.rounds}: ${where.scenario}, ${where.peer}`);
    try {
      const result = await measureOnce(plan, turn);
      measurements.push({ ...where, result });
      if (result.errors === 0) continue;
      failures.push({ ...where, words: `${result.errors} errors; the first: ${result.firstError ?? "not named"}` });
    } catch (error) {
      failures.push({ ...where, words: error instanceof Error ? error.message : String(error) });
    }
  }
  return { measurements, failures };
}

interface Turn {
  readonly round: number;
  readonly scenario: Scenario;
  readonly peer: Peer;
}

/** All that is to be measured, in its order. */
export function* turns({ rounds, scenarios, peers }: Pick<Plan, "rounds" | "scenarios" | "peers">): Generator<Turn> {
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of scenarios) {
      for (const peer of rotated(peers, round - 1)) yield { round, scenario, peer };
    }
  }
}

/** The same order, begun `by` places later. */
function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  const cut = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(cut), ...items.slice(0, cut)];
}

async function measureOnce({ folder, pins }: Plan, { round, scenario, peer }: Turn): Promise<Measurement["result"]> {
  await using backend = await Backend.start(pins.load);
  const own = join(folder, `${round}-${scenario.name}-${peer.name}`);
  await mkdir(own);
  await using proxy = await peer.start({ backendPort: backend.port, folder: own, pin: pins.proxy });
  try {
    return await measure({
      command: scenario.command,
      targetPort: proxy.port,
      pids: proxy.pids(),
      pin: pins.load,
      seconds: scenario.seconds,
    });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${proxy.lastWords()}`.trim(), {
      cause: error,
    });
  }
}
