import { expect, test } from "vitest";
import { SCENARIO_NAMES, scenarios } from "../../bench/compare/scenarios.ts";
import { type PeerSummary, spreadOf, summarize, verdicts } from "../../bench/compare/statistics.ts";
import { PEER_NAMES, type PeerName } from "../../bench/peers/peer.ts";
import { cpu, loadResult } from "./measurements.ts";

const ALL = scenarios({
  warmupSeconds: 1,
  handshakeWarmupSeconds: 1,
  windowSeconds: 1,
  idleTunnels: 1_000,
  settleSeconds: 1,
});

function peerIn(figures: ReturnType<typeof summarize>, figure: string, wanted: PeerName): PeerSummary | undefined {
  return figures.find((summary) => summary.figure === figure)?.peers.find(({ peer }) => peer === wanted);
}

test("the median of an odd number of values is one of them, of an even number the mean of the middle two", () => {
  expect(spreadOf([30, 4, 200])).toEqual({ median: 30, least: 4, most: 200 });
  expect(spreadOf([40, 10, 20, 30])).toEqual({ median: 25, least: 10, most: 40 });
  expect(spreadOf([]).median).toBeNaN();
});

test("a ratio is taken within a round: what slows both in one round leaves it alone", () => {
  const measurements = [
    ...cpu("nginx", "handshakes", [50, 500, 60]),
    ...cpu("holdfast", "handshakes", [100, 1_500, 90]),
  ];
  const figures = summarize(ALL, PEER_NAMES, measurements);
  expect(peerIn(figures, "CPU per handshake", "holdfast")).toEqual({
    peer: "holdfast",
    value: { median: 100, least: 90, most: 1_500 },
    ratio: { median: 2, least: 1.5, most: 3 },
  });
});

test("a round in which NGINX or the other failed has no ratio and its value still counts", () => {
  const measurements = [
    ...cpu("nginx", "handshakes", [50, undefined, 50]),
    ...cpu("haproxy", "handshakes", [100, 900, undefined]),
  ];
  const figures = summarize(ALL, PEER_NAMES, measurements);
  expect(peerIn(figures, "CPU per handshake", "haproxy")).toEqual({
    peer: "haproxy",
    value: { median: 500, least: 100, most: 900 },
    ratio: { median: 2, least: 2, most: 2 },
  });
});

test("a proxy that was not measured is left out, and without NGINX there are values and no ratios", () => {
  const figures = summarize(ALL, PEER_NAMES, cpu("holdfast", "echo-100", [20]));
  expect(figures.every(({ scenario }) => scenario === "echo-100")).toBe(true);
  expect(figures.map(({ peers }) => peers.map(({ peer }) => peer))).toEqual([["holdfast"], ["holdfast"]]);
  expect(peerIn(figures, "CPU per message", "holdfast")?.ratio).toBeUndefined();
});

test("a goal is reached at its bound, missed beyond it, and not judged when it was not measured", () => {
  const judged = (ratio: number): boolean | undefined => {
    const measurements = [...cpu("nginx", "handshakes", [100]), ...cpu("holdfast", "handshakes", [100 * ratio])];
    const figures = summarize(ALL, PEER_NAMES, measurements);
    return verdicts(figures).find(({ scenario }) => scenario === "handshakes")?.isReached;
  };
  expect(judged(2.5)).toBe(true);
  expect(judged(2.51)).toBe(false);
  const alone = summarize(ALL, PEER_NAMES, cpu("holdfast", "handshakes", [100]));
  expect(verdicts(alone).map(({ isReached }) => isReached)).toEqual([undefined]);
});

test("throughput has to be at least what is wanted, memory at most", () => {
  const round = { round: 1 } as const;
  const measurements = [
    { ...round, scenario: "bulk", peer: "nginx", result: loadResult({ bytes: 100e6 }) },
    { ...round, scenario: "bulk", peer: "holdfast", result: loadResult({ bytes: 190e6 }) },
    { ...round, scenario: "idle", peer: "nginx", result: loadResult({ pssBytes: { before: 10e6, after: 12e6 } }) },
    { ...round, scenario: "idle", peer: "holdfast", result: loadResult({ pssBytes: { before: 80e6, after: 81e6 } }) },
  ] as const;
  const found = verdicts(summarize(ALL, PEER_NAMES, measurements));
  expect(found.map(({ scenario, isReached, ratio }) => [scenario, ratio?.median, isReached])).toEqual([
    ["bulk", 1.9, false],
    ["idle", 0.5, true],
  ]);
});

test("every scenario that can be named is there once, under a title of its own", () => {
  expect(ALL.map(({ name }) => name)).toEqual(SCENARIO_NAMES);
  expect(new Set(ALL.map(({ title }) => title)).size).toBe(ALL.length);
});
