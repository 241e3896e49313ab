import { describe, expect, test } from "vitest";
import { figuresOf } from "../../bench/storm/figures.ts";
import { loopDelayIn, metricValue } from "../../bench/storm/proxy-process.ts";
import { faultsOf } from "../../bench/storm/verdicts.ts";
import { stormRun } from "./storms.ts";

const START = 1_000_000;

describe("who comes back", () => {
  test("is counted by the second since the backend was killed, on the clocks of two processes", () => {
    const { admittedBySecond, back, clients, lastBackSeconds } = figuresOf(
      stormRun({ backSeconds: [0.2, 0.9, 1, 3.5] }),
    );
    expect(admittedBySecond).toEqual([2, 1, 0, 1]);
    expect([back, clients, lastBackSeconds]).toEqual([4, 4, 3.5]);
  });

  test("is a failure when it never does, or is lost again", () => {
    const run = stormRun({ backSeconds: [1, null, null], storm: { lostAgain: 3 } });
    expect(figuresOf(run).failures).toEqual([
      "2 clients did not come back",
      "3 tunnels were lost after they had come back",
    ]);
    expect(figuresOf(run).back).toBe(1);
  });

  test("in the busiest second, wherever it begins, with the burst after the first and then without", () => {
    const backSeconds = [4.1, 4.2, 5.05, 6.5, 6.9, 7.4, 7.6, 7.7];
    expect(figuresOf(stormRun({ backSeconds })).mostInASecond).toEqual({ first: 3, later: 4 });
  });
});

describe("the rate", () => {
  test("is kept when a full bucket could have let so many through by then", () => {
    const burstAndRate = [0, 0, 0.5, 1, 1.5, 2];
    expect(figuresOf(stormRun({ rate: 2, backSeconds: burstAndRate })).beyondBound).toBe(0);
  });

  test("is broken by one handshake more, at the worst moment", () => {
    const figures = figuresOf(stormRun({ rate: 2, backSeconds: [0, 0, 0, 0.1, 5] }));
    expect(figures.beyondBound).toBe(2);
    expect(faultsOf(figures)).toEqual(["2/s: 2 handshakes beyond what 2 per second allow"]);
  });

  test("lets expect clients / rate, and nothing without a rate", () => {
    expect(figuresOf(stormRun({ rate: 4, backSeconds: [0, 1] })).computedSeconds).toBe(0.5);
    const unlimited = figuresOf(stormRun({ backSeconds: [0, 0, 0, null] }));
    expect([unlimited.computedSeconds, unlimited.beyondBound]).toEqual([undefined, undefined]);
    expect(faultsOf(unlimited)).toEqual([]);
  });
});

test("refusals are told apart by code, or by status where a backend said no, and those without Retry-After are counted", () => {
  const refusal = (code: string, status: number, retryAfter: number | null) => ({ atMs: 1, code, status, retryAfter });
  const refusals = [
    refusal("HF_A", 503, 3),
    refusal("HF_A", 503, null),
    refusal("HF_B", 502, null),
    refusal("", 404, null),
  ];
  const figures = figuresOf(stormRun({ rate: 1, storm: { refusals } }));
  expect(figures.refusals).toEqual({ "HF_A (503)": 2, "HF_B (502)": 1, "404 of a backend": 1 });
  expect(faultsOf(figures)).toEqual(["1/s: 3 refusals without Retry-After"]);
});

test("the same failures of many tries are one line with their number", () => {
  const failures = ["reset", "refused", "reset"].map((words) => ({ atMs: 1, words }));
  const figures = figuresOf(stormRun({ rate: 9, storm: { failures } }));
  expect(faultsOf(figures)).toEqual(["9/s: 2 tries failed: reset", "9/s: 1 tries failed: refused"]);
});

describe("echoes of the established tunnels", () => {
  test("belong to the window in which they were due: quiet before the loss, storm until the last was back", () => {
    // One each 100 ms: a second quiet, then one of the loss, then the rest.
    const latenciesUs = Array.from({ length: 60 }, (_, index) => (index < 10 ? 1_000 : index < 20 ? 90_000 : 2_000));
    const run = stormRun({ killedMs: START + 1_000, backSeconds: [4], steady: { latenciesUs } });
    const { quiet, storm, afterLoss, p99BySecondMs } = figuresOf(run).echoes;
    expect([quiet.n, quiet.p99]).toEqual([10, 1]);
    expect([storm.n, storm.p50, storm.p99, storm.max]).toEqual([40, 2, 90, 90]);
    expect([afterLoss.n, afterLoss.max]).toEqual([20, 2]);
    expect(p99BySecondMs).toEqual([90, 2, 2, 2]);
  });

  test("that did not come back, and tunnels that ended, are failures and no latencies", () => {
    const steady = { latenciesUs: [5_000, -1, -1], ended: 2, firstError: "reset" };
    const { echoes, failures } = figuresOf(stormRun({ backSeconds: [9], steady }));
    expect(echoes.quiet).toEqual({ n: 1, p50: 5, p99: 5, max: 5 });
    expect(failures).toEqual([
      "2 established tunnels ended: reset",
      "2 echoes of established tunnels did not come back",
    ]);
  });
});

test("metrics are read by their whole name", () => {
  const text = 'a_total 1\na{x="1"} 2\na{x="12"} 3\na 4\n';
  expect([metricValue(text, "a"), metricValue(text, 'a{x="1"}'), metricValue(text, "b")]).toEqual([4, 2, Number.NaN]);
  const delay = (stat: string, seconds: number): string =>
    `holdfast_event_loop_delay_seconds{stat="${stat}"} ${seconds}`;
  expect(loopDelayIn([delay("p50", 0.001), delay("p99", 0.25), delay("max", 1)].join("\n"))).toEqual({
    p50: 1,
    p99: 250,
    max: 1_000,
  });
});
