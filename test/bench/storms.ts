import type { SteadyRecord, StormRecord, StormRun } from "../../bench/storm/records.ts";

const START_MS = 1_000_000;

interface StormFacts {
  readonly rate?: number;
  readonly killedMs?: number;
  /** By client, since the backend was killed; null = never. */
  readonly backSeconds?: readonly (number | null)[];
  readonly storm?: Partial<StormRecord>;
  readonly steady?: Partial<SteadyRecord>;
}

/** A storm in which nothing happened but what is said. The storm's clients have a clock that began 5 s sooner. */
export function stormRun({
  rate,
  killedMs = START_MS + 10_000,
  backSeconds = [0],
  storm,
  steady,
}: StormFacts): StormRun {
  const originMs = START_MS - 5_000;
  const delay = { p50: 1, p99: 2, max: 3 };
  return {
    rate,
    quietFromMs: START_MS,
    killedMs,
    storm: {
      event: "result",
      originMs,
      clients: backSeconds.map((seconds) => ({
        lostMs: killedMs - originMs,
        backMs: seconds === null ? null : killedMs + seconds * 1_000 - originMs,
        isProved: seconds !== null,
        tries: 1,
      })),
      refusals: [],
      failures: [],
      closes: {},
      lostAgain: 0,
      ...storm,
    },
    steady: {
      event: "result",
      startMs: START_MS,
      everyUs: 100_000,
      tunnels: 1,
      ended: 0,
      latenciesUs: [],
      ...steady,
    },
    proxy: {
      loopDelayMs: { quiet: delay, storm: delay },
      memory: { pssBefore: 104_857_600, pssAfter: 209_715_200, peakResident: 314_572_800 },
      cpuSeconds: 2,
    },
    busyPercent: 10,
  };
}
