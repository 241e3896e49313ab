import type { RelayObserver } from "../relay/index.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import type { HistogramSeries, Sample } from "./exposition.ts";
import { METRICS } from "./metric-definitions.ts";

type PeerSide = Parameters<RelayObserver["pingSent"]>[0];

interface SidePings {
  sent: number;
  answered: number;
  readonly roundTrip: DurationHistogram;
}

/** Both sides' Pings at one moment, as samples in the order of the definitions' labels. */
export interface PingCounts {
  readonly sent: readonly Sample[];
  readonly answered: readonly Sample[];
  readonly roundTrip: readonly HistogramSeries[];
}

/** Counts our Pings and their Pongs by side. Plain numbers: with thousands of tunnels there are hundreds each second. */
export class PingCounters implements RelayObserver {
  readonly #sides: Readonly<Record<PeerSide, SidePings>> = { client: noPings(), backend: noPings() };

  pingSent(side: PeerSide): void {
    this.#sides[side].sent++;
  }

  pingAnswered(side: PeerSide, roundTripMs: number): void {
    const pings = this.#sides[side];
    pings.answered++;
    pings.roundTrip.observe(roundTripMs / 1000);
  }

  /** All counts of both sides, also of none. */
  collect(): PingCounts {
    const sides = Object.entries(this.#sides);
    return {
      sent: sides.map(([side, { sent }]) => [[side], sent]),
      answered: sides.map(([side, { answered }]) => [[side], answered]),
      roundTrip: sides.map(([side, { roundTrip }]) => [[side], roundTrip.collect()]),
    };
  }
}

function noPings(): SidePings {
  return { sent: 0, answered: 0, roundTrip: new DurationHistogram(METRICS.pingRoundTrip.buckets) };
}
