import { expect, test } from "vitest";
import { allowedCores } from "../../bench/compare/machine.ts";
import { parseOptions } from "../../bench/compare/options.ts";
import { turns } from "../../bench/compare/rounds.ts";
import { scenarios } from "../../bench/compare/scenarios.ts";
import { parseResult } from "../../bench/compare/load-generator.ts";
import { PEERS } from "../../bench/peers/all-peers.ts";

test("without flags everything is measured three times; --quick once and with less of everything", () => {
  const full = parseOptions([]);
  const quick = parseOptions(["--quick"]);
  if (full === "help" || quick === "help") throw new Error("no help was asked for");
  expect([full.rounds, full.peers.length, full.scenarios.length]).toEqual([3, 4, 7]);
  expect(quick.rounds).toBe(1);
  expect(quick.effort.idleTunnels).toBeLessThan(full.effort.idleTunnels);
  expect(quick.effort.windowSeconds).toBeLessThan(full.effort.windowSeconds);
  expect(parseOptions(["--quick", "--rounds", "2"])).toMatchObject({ rounds: 2, isQuick: true });
});

test("names are taken in the order of the tables", () => {
  expect(parseOptions(["--only", "holdfast,nginx", "--scenarios", "idle, handshakes"])).toMatchObject({
    peers: ["nginx", "holdfast"],
    scenarios: ["handshakes", "idle"],
  });
});

test.each([
  [["--only", "envoy"], "--only: there is no envoy; nginx, haproxy, http-proxy-3, holdfast"],
  [["--scenarios", ""], "--scenarios: there is no empty name"],
  [["--rounds", "0"], "--rounds 0: whole numbers from 1 to 100"],
  [["--rounds", "two"], "--rounds two"],
  [["--quik"], "--quik"],
])("a mistake in %j is refused in words that name the flag", (args, words) => {
  expect(() => parseOptions(args)).toThrow(words);
});

test("each round goes through all scenarios with every proxy in turn, and another one goes first", () => {
  const all = scenarios({
    warmupSeconds: 1,
    handshakeWarmupSeconds: 1,
    windowSeconds: 1,
    idleTunnels: 1_000,
    settleSeconds: 1,
  });
  const order = [...turns({ rounds: 4, scenarios: all.slice(0, 2), peers: PEERS })].map(
    ({ round, scenario, peer }) => `${round} ${scenario.name} ${peer.name}`,
  );
  expect(order.slice(0, 5)).toEqual([
    "1 handshakes nginx",
    "1 handshakes haproxy",
    "1 handshakes http-proxy-3",
    "1 handshakes holdfast",
    "1 echo-100 nginx",
  ]);
  expect(order.filter((_, index) => index % 8 === 0)).toEqual([
    "1 handshakes nginx",
    "2 handshakes haproxy",
    "3 handshakes http-proxy-3",
    "4 handshakes holdfast",
  ]);
  expect(new Set(order).size).toBe(32);
});

test("the cores that may be used are read as ranges and as single ones", () => {
  const status = (list: string): string => `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\n`;
  expect(allowedCores(status("0-2,5,8-9"))).toEqual([0, 1, 2, 5, 8, 9]);
  expect(allowedCores(status("3"))).toEqual([3]);
  expect(allowedCores("")).toEqual([]);
});

test("a generator that measured nothing, or said nothing, is a failure in its own words", () => {
  const line = (units: number): string => JSON.stringify({ event: "result", units, errors: 7, firstError: "reset" });
  expect(parseResult(`{"event":"listening"}\n${line(3)}\n`).units).toBe(3);
  expect(() => parseResult(line(0))).toThrow("nothing was measured, 7 errors: reset");
  expect(() => parseResult("")).toThrow("without a result");
});
