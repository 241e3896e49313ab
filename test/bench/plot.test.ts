import { expect, test } from "vitest";
import { ratioPlot } from "../../bench/compare/plot.ts";
import { scenarios } from "../../bench/compare/scenarios.ts";
import { type Measurement, summarize } from "../../bench/compare/statistics.ts";
import { PEER_NAMES } from "../../bench/peers/peer.ts";
import { cpu } from "./measurements.ts";

const ALL = scenarios({
  warmupSeconds: 1,
  handshakeWarmupSeconds: 1,
  windowSeconds: 1,
  idleTunnels: 1_000,
  settleSeconds: 1,
});
const MEASURED = [
  ...cpu("nginx", "handshakes", [50, 50, 50]),
  ...cpu("haproxy", "handshakes", [40, 50, 60]),
  ...cpu("http-proxy-3", "handshakes", [150, 160, 170]),
  ...cpu("holdfast", "handshakes", [100, 110, 600]),
];

function plotOf(measurements: readonly Measurement[], subtitle: readonly string[] = ["1 core"]): string {
  return ratioPlot(summarize(ALL, PEER_NAMES, measurements), { title: "A < B & C", subtitle });
}

/** Names of elements that are not closed in order, and characters that XML does not allow as they are. */
function faults(xml: string): readonly string[] {
  const found: string[] = [];
  const open: string[] = [];
  for (const [, slash, name = "", attributes = "", empty] of xml.matchAll(
    /<(\/?)(\w+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
  )) {
    if (/NaN|undefined|Infinity/.test(attributes)) found.push(`${name}${attributes}`);
    if (slash === "/") {
      if (open.pop() !== name) found.push(`</${name}>`);
    } else if (empty !== "/") open.push(name);
  }
  const rest = xml.replace(/<\/?\w+(?:\s+[\w:-]+="[^"<]*")*\s*\/?>/g, "");
  found.push(...open, ...(rest.match(/[<>]|&(?!amp;|lt;|gt;|quot;)/g) ?? []));
  return found;
}

test("the check for well-formed documents finds what is wrong", () => {
  expect(faults("<a><b></a>")).not.toEqual([]);
  expect(faults("<a>1 < 2</a>")).not.toEqual([]);
  expect(faults("<a>b & c</a>")).not.toEqual([]);
  expect(faults('<a x="1"><b/>&amp;</a>')).toEqual([]);
});

test("the plot is well-formed, whatever is in its words", () => {
  expect(faults(plotOf(MEASURED, ['<script> & "quotes"', "a second line"]))).toEqual([]);
});

test("every proxy that was compared has a mark, a whisker as wide as its spread, and its figures in words", () => {
  const svg = plotOf(MEASURED);
  const width = (peer: string): number => {
    const match = new RegExp(`<g class="${peer}"><line class="whisker" x1="([\\d.]+)" x2="([\\d.]+)"`).exec(svg);
    return Number(match?.[2]) - Number(match?.[1]);
  };
  expect(width("haproxy")).toBeGreaterThan(0);
  expect(width("holdfast")).toBeGreaterThan(4 * width("haproxy"));
  expect(svg).toContain("holdfast 2.20 (2.00–12.00)");
  expect(svg).toContain("http-proxy-3 3.20 (3.00–3.40)");
  expect(svg).not.toContain('<g class="nginx">');
});

test("those who hear it get every ratio; it is named by title and description and runs no script", () => {
  const svg = plotOf(MEASURED);
  expect(/<desc id="d">(.*)<\/desc>/.exec(svg)?.[1]).toContain("haproxy 1.00, http-proxy-3 3.20, holdfast 2.20");
  expect(svg).toContain('aria-labelledby="t d"');
  expect(svg).toContain("prefers-color-scheme:dark");
  expect(svg).not.toContain("<script");
});

test("a proxy that is missing is missing in the plot, and one without any ratio is still a document", () => {
  const withoutHaproxy = plotOf(MEASURED.filter(({ peer }) => peer !== "haproxy"));
  expect(withoutHaproxy).not.toContain('class="haproxy"');
  expect(withoutHaproxy).toContain('<g class="holdfast">');
  expect(faults(plotOf(cpu("holdfast", "handshakes", [1])))).toEqual([]);
  expect(faults(plotOf([]))).toEqual([]);
});
