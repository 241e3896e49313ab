import type { PeerName } from "../peers/peer.ts";
import type { LoadResult } from "./load-generator.ts";
import type { Figure, Goal, Scenario, ScenarioName } from "./scenarios.ts";

/** What one proxy did in one scenario of one round. */
export interface Measurement {
  readonly round: number;
  readonly scenario: ScenarioName;
  readonly peer: PeerName;
  readonly result: LoadResult;
}

/** Of a few values; all NaN when there are none. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface PeerSummary {
  readonly peer: PeerName;
  readonly value: Spread;
  /** To NGINX in the same round, so that what slows the machine for a while slows both. */
  readonly ratio: Spread | undefined;
}

export interface FigureSummary {
  readonly scenario: ScenarioName;
  readonly figure: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
  readonly goal: Goal | undefined;
  /** Those that were measured, in the order given. */
  readonly peers: readonly PeerSummary[];
}

/** To whom the others are compared. */
export const REFERENCE: PeerName = "nginx";

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = (sorted.length - 1) / 2;
  return { median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2, least: at(0), most: at(sorted.length - 1) };
}

/** Every figure of every scenario that was measured; a proxy without a measurement is left out. */
export function summarize(
  scenarios: readonly Scenario[],
  peers: readonly PeerName[],
  measurements: readonly Measurement[],
): readonly FigureSummary[] {
  return scenarios.flatMap(({ name, figures }) => {
    const ofScenario = measurements.filter(({ scenario }) => scenario === name);
    if (ofScenario.length === 0) return [];
    return figures.map((figure) => ({
      scenario: name,
      figure: figure.name,
      unit: figure.unit,
      better: figure.better,
      goal: figure.goal,
      peers: peers.flatMap((peer) => summaryOf(peer, figure, ofScenario)),
    }));
  });
}

function summaryOf(peer: PeerName, figure: Figure, measurements: readonly Measurement[]): readonly PeerSummary[] {
  const own = byRound(peer, figure, measurements);
  if (own.size === 0) return [];
  const reference = byRound(REFERENCE, figure, measurements);
  const ratios = [...own].flatMap(([round, value]) => {
    const other = reference.get(round);
    return other === undefined ? [] : [value / other];
  });
  return [{ peer, value: spreadOf([...own.values()]), ratio: ratios.length === 0 ? undefined : spreadOf(ratios) }];
}

function byRound(wanted: PeerName, figure: Figure, measurements: readonly Measurement[]): ReadonlyMap<number, number> {
  return new Map(
    measurements.filter(({ peer }) => peer === wanted).map(({ round, result }) => [round, figure.of(result)]),
  );
}

export interface Verdict {
  readonly scenario: ScenarioName;
  readonly figure: string;
  readonly goal: Goal;
  /** Of Holdfast to NGINX; undefined when one of them was not measured. */
  readonly ratio: Spread | undefined;
  readonly isReached: boolean | undefined;
}

/** Whether the median of Holdfast's ratio is where it is wanted, for every figure that has a goal. */
export function verdicts(figures: readonly FigureSummary[]): readonly Verdict[] {
  return figures.flatMap(({ scenario, figure, goal, peers }) => {
    if (goal === undefined) return [];
    const ratio = peers.find(({ peer }) => peer === "holdfast")?.ratio;
    return [{ scenario, figure, goal, ratio, isReached: ratio && reaches(ratio.median, goal) }];
  });
}

function reaches(
  ratio: number,
  { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY }: Goal,
): boolean {
  return ratio <= atMost && ratio >= atLeast;
}
