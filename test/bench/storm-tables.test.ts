import { expect, test } from "vitest";
import { figuresOf } from "../../bench/storm/figures.ts";
import { routeManifest, serviceManifests } from "../../bench/storm/manifests.ts";
import { parseOptions } from "../../bench/storm/options.ts";
import { markdownTable, type Setting } from "../../bench/storm/tables.ts";
import { verdictLines, verdicts } from "../../bench/storm/verdicts.ts";
import { stormRun } from "./storms.ts";

/** Echoes of 1 ms before the loss and of `stormMs` after it. */
const latencies = (stormMs: number) => ({
  latenciesUs: Array.from({ length: 300 }, (_, index) => (index < 100 ? 1_000 : stormMs * 1_000)),
});
const refusals = [{ atMs: 1, status: 503, code: "HF_RATE_LIMITED", retryAfter: 2 }];
const SETTINGS: readonly Setting[] = [
  { rate: undefined, rounds: [figuresOf(stormRun({ backSeconds: [1, 2], steady: latencies(50) }))] },
  {
    rate: 2,
    rounds: [4, 6, 5].map((last) =>
      figuresOf(
        stormRun({
          rate: 2,
          backSeconds: [...Array(7).fill(4), last],
          steady: latencies(last - 2),
          storm: { refusals },
        }),
      ),
    ),
  },
];

test("the table has a column for each rate with the median and the spread of its rounds, empty where there is no figure", () => {
  const lines = markdownTable(SETTINGS).split("\n");
  expect(lines[0]).toBe("| Figure | no limits | 2/s |");
  expect(lines).toContain("| the last was back after, s | 2.00 | 5.00 (4.00–6.00) |");
  expect(lines).toContain("| clients / rate, s |  | 4.00 (4.00–4.00) |");
  expect(lines).toContain("| echo p99, storm to quiet | 50.0 | 3.00 (2.00–4.00) |");
  expect(lines).toContain("| refused: HF_RATE_LIMITED (503) | 0.00 | 1.00 (1.00–1.00) |");
  expect(lines).toContain("| PSS before the loss, MiB | 100 | 100 (100–100) |");
  expect(new Set(lines.map((line) => line.split("|").length))).toEqual(new Set([5]));
});

test("goals are of storms that meet a limit, by the median of the rounds", () => {
  expect(verdictLines(verdicts(SETTINGS)).split("\n")).toEqual([
    "reached  2/s: echo p99 at most 3 times the quiet one: 3.00 times",
    "reached  2/s: the last client back within 3 s of clients / rate: +1.0 s",
  ]);
  const slow = SETTINGS.slice(1).map(({ rate, rounds }) => ({ rate, rounds: rounds.slice(1, 2) }));
  expect(verdictLines(verdicts(slow))).toContain("MISSED   2/s: echo p99 at most 3 times the quiet one: 4.00 times");
  const late = [{ rate: 1, rounds: [figuresOf(stormRun({ rate: 1, backSeconds: [5] }))] }];
  expect(verdictLines(verdicts(late))).toContain(
    "MISSED   1/s: the last client back within 3 s of clients / rate: +4.0 s",
  );
});

test("flags are read, and a wrong one is named with what is allowed", () => {
  const words = ["--rounds", "2", "--rates", "none, 250", "--clients", "100", "--first-within", "0"];
  expect(parseOptions(words)).toMatchObject({
    rounds: 2,
    rates: [undefined, 250],
    effort: { clients: 100, firstWithinSeconds: 0, established: 300 },
  });
  expect(parseOptions(["--quick"])).toMatchObject({ rounds: 1, effort: { clients: 2_000 } });
  expect(parseOptions(["--help"])).toBe("help");
  for (const [flag, value] of [
    ["--rounds", "0"],
    ["--rates", "fast"],
    ["--clients", "1.5"],
    ["--first-within", "-1"],
  ] as const)
    expect(() => parseOptions([`${flag}=${value}`])).toThrow(`${flag} ${value}: `);
});

test("the route is admitted by the rate and the queue it is given, or by nothing", () => {
  const limits = { handshakesPerSecond: 500, queueSize: 400, queueSeconds: 2 };
  expect(routeManifest(limits)).toContain("handshakesPerSecond: 500\n      queue: {size: 400, timeout: 2s}\n");
  expect(routeManifest(undefined)).not.toContain("admission");
  expect(serviceManifests("storm", [1, 2]).match(/port: \d+, protocol/g)).toEqual([
    "port: 1, protocol",
    "port: 2, protocol",
  ]);
});
