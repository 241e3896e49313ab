import { spreadOf } from "../compare/statistics.ts";
import type { StormFigures } from "./figures.ts";
import { nameOf, p99Ratio, type Setting } from "./tables.ts";

/** What is wanted of a storm that meets a limit. */
const MOST_P99_RATIO = 3;
/** The bucket's burst makes it sooner, the whole seconds of Retry-After and a random one later. */
const SECONDS_APART = 3;

export interface Verdict {
  readonly goal: string;
  readonly rate: number;
  readonly measured: string;
  readonly isReached: boolean;
}

/** Of every rate, whether the medians are where they are wanted. A report: nothing fails by it. */
export function verdicts(settings: readonly Setting[]): readonly Verdict[] {
  return settings.flatMap(({ rate, rounds }) => {
    if (rate === undefined || rounds.length === 0) return [];
    const median = (of: (figures: StormFigures) => number): number => spreadOf(rounds.map(of)).median;
    const ratio = median(p99Ratio);
    const late = median(({ lastBackSeconds, computedSeconds = Number.NaN }) => lastBackSeconds - computedSeconds);
    return [
      {
        goal: `echo p99 at most ${MOST_P99_RATIO} times the quiet one`,
        rate,
        measured: `${ratio.toFixed(2)} times`,
        isReached: ratio <= MOST_P99_RATIO,
      },
      {
        goal: `the last client back within ${SECONDS_APART} s of clients / rate`,
        rate,
        measured: `${late < 0 ? "" : "+"}${late.toFixed(1)} s`,
        isReached: Math.abs(late) <= SECONDS_APART,
      },
    ];
  });
}

export function verdictLines(all: readonly Verdict[]): string {
  return all
    .map(({ goal, rate, measured, isReached }) => {
      return `${isReached ? "reached" : "MISSED "}  ${nameOf(rate)}: ${goal}: ${measured}`;
    })
    .join("\n");
}

/** What must not be in a storm that meets a limit, in words; without limits everything may fall over. */
export function faultsOf({
  rate,
  failures,
  back,
  clients,
  beyondBound = 0,
  unadvised,
}: StormFigures): readonly string[] {
  if (rate === undefined) return [];
  return [
    ...failures,
    ...(back < clients ? [`${clients - back} of ${clients} clients are not back`] : []),
    ...(beyondBound > 0 ? [`${beyondBound} handshakes beyond what ${rate} per second allow`] : []),
    ...(unadvised > 0 ? [`${unadvised} refusals without Retry-After`] : []),
  ].map((words) => `${nameOf(rate)}: ${words}`);
}
