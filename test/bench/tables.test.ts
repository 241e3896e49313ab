import { expect, test } from "vitest";
import { scenarios } from "../../bench/compare/scenarios.ts";
import { summarize, verdicts } from "../../bench/compare/statistics.ts";
import { goalTable, humanNumber, markdownTable, terminalTables } from "../../bench/compare/tables.ts";
import { PEER_NAMES } from "../../bench/peers/peer.ts";
import { cpu } from "./measurements.ts";

const ALL = scenarios({
  warmupSeconds: 1,
  handshakeWarmupSeconds: 1,
  windowSeconds: 1,
  idleTunnels: 1_000,
  settleSeconds: 1,
});
const FIGURES = summarize(ALL, PEER_NAMES, [
  ...cpu("nginx", "handshakes", [50, 52, 60]),
  ...cpu("holdfast", "handshakes", [100, 110, 180]),
]);

test("numbers have three digits that count", () => {
  expect([0.123, 9.876, 12.34, 123.4, 12_345.6, Number.NaN].map(humanNumber)).toEqual([
    "0.12",
    "9.88",
    "12.3",
    "123",
    "12,346",
    "–",
  ]);
});

test("the terminal's table has a line for each proxy with median, spread and both again as ratios", () => {
  const lines = terminalTables(ALL, FIGURES).split("\n");
  expect(lines[0]).toBe("Handshakes, 32 at a time, each closed again");
  const cells = lines.map((line) => line.trim().split(/ {2,}/));
  expect(cells).toContainEqual(["CPU per handshake, µs", "nginx", "52.0", "50.0–60.0", "1.00"]);
  expect(cells).toContainEqual(["holdfast", "110", "100–180", "2.12", "2.00–3.00"]);
  expect(lines.join("\n")).not.toContain("Echoes");
});

test("the Markdown table has a column for each proxy, empty where it was not measured", () => {
  const lines = markdownTable(FIGURES, ["nginx", "haproxy", "holdfast"]).split("\n");
  expect(lines[0]).toBe("| Scenario | Figure | nginx | haproxy | holdfast | Holdfast to NGINX |");
  expect(lines[2]).toBe(
    "| handshakes | CPU per handshake, µs | 52.0 (50.0–60.0) |  | 110 (100–180) | **2.12** (2.00–3.00) |",
  );
  expect(new Set(lines.map((line) => line.split("|").length))).toEqual(new Set([8]));
});

test("the table of goals says reached, missed or not measured", () => {
  expect(goalTable(verdicts(FIGURES))).toMatch(/handshakes +CPU per handshake +≤ 2\.50 +2\.12 +reached/);
  const alone = summarize(ALL, PEER_NAMES, cpu("holdfast", "handshakes", [1]));
  expect(goalTable(verdicts(alone))).toContain("not measured");
});
