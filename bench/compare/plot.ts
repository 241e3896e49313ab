import { PEER_NAMES, type PeerName } from "../peers/peer.ts";
import { type FigureSummary, REFERENCE, type Spread } from "./statistics.ts";
import { humanGoal, humanRatio } from "./tables.ts";

const WIDTH = 960;
const LEFT = 290;
const RIGHT = 190;
const TOP = 112;
const BOTTOM = 48;
const LANE = 16;
const ROW_GAP = 14;
const TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];

/** Colours by class for light and dark pages; shapes as well, since not everybody tells colours apart. */
const STYLE = `
text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}.title{font-size:16px;font-weight:600}
.back{fill:#fff}.grid{stroke:#d1d9e0}.one{stroke:#59636e;stroke-width:1.5}.goal{stroke:#1a7f37;stroke-width:2}
.haproxy{color:#9a6700}.http-proxy-3{color:#cf222e}.holdfast{color:#0969da}.nginx{color:#59636e}
.mark{fill:currentColor;stroke:none}.whisker{stroke:currentColor;stroke-width:2}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.back{fill:#0d1117}.grid{stroke:#3d444d}
.one{stroke:#9198a1}.goal{stroke:#3fb950}.haproxy{color:#d29922}.http-proxy-3{color:#f85149}.holdfast{color:#4493f8}
.nginx{color:#9198a1}}`;

/** What the plot tells beside the figures. */
export interface PlotWords {
  readonly title: string;
  /** A line or two: machine, versions, rounds. */
  readonly subtitle: readonly string[];
}

/**
 * The ratios to NGINX of every figure as an SVG document: a mark at the median, a whisker from least to most, on a
 * logarithmic axis, so that half and double are equally far from 1. Figures without a ratio are left out. No script.
 */
export function ratioPlot(figures: readonly FigureSummary[], { title, subtitle }: PlotWords): string {
  const rows = figures.map(rowOf).filter(({ lanes }) => lanes.length > 0);
  const known = rows.flatMap(({ lanes }) => lanes.flatMap(({ ratio }) => [ratio.least, ratio.most]));
  const scale = logScale(known.filter((value) => value > 0));
  const heights = rows.map(({ lanes }) => lanes.length * LANE + ROW_GAP);
  const plotHeight = heights.reduce((sum, height) => sum + height, 0);
  const height = TOP + plotHeight + BOTTOM;
  const tops = heights.map((_, index) => TOP + heights.slice(0, index).reduce((sum, each) => sum + each, 0));
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t d" viewBox="0 0 ${WIDTH} ${height}">
<title id="t">${escaped(title)}</title>
<desc id="d">${escaped(description(rows))}</desc>
<style>${STYLE}</style>
<rect class="back" width="${WIDTH}" height="${height}"/>
<text class="title" x="16" y="26">${escaped(title)}</text>
${subtitle.map((line, index) => `<text class="small" x="16" y="${45 + index * 15}">${escaped(line)}</text>`).join("\n")}
${legend(rows)}
${axis(scale, TOP + plotHeight)}
${rows.map((row, index) => rowMarks(row, tops[index] ?? TOP, scale)).join("\n")}
</svg>
`;
}

interface Lane {
  readonly peer: PeerName;
  readonly ratio: Spread;
}

interface Row {
  readonly label: string;
  readonly hint: string;
  readonly goal: FigureSummary["goal"];
  readonly lanes: readonly Lane[];
}

function rowOf({ scenario, figure, better, goal, peers }: FigureSummary): Row {
  const lanes = peers.flatMap(({ peer, ratio }) =>
    ratio === undefined || peer === REFERENCE || !(ratio.least > 0) ? [] : [{ peer, ratio }],
  );
  const hint = `${better} is better${goal === undefined ? "" : `, goal ${humanGoal(goal)}`}`;
  return { label: `${scenario}: ${figure}`, hint, goal, lanes };
}

/** What the picture shows, for those who hear it. */
function description(rows: readonly Row[]): string {
  const sentences = rows.map(({ label, hint, lanes }) => {
    const parts = lanes.map(({ peer, ratio }) => `${peer} ${humanRatio(ratio.median)}`);
    return `${label} (${hint}): ${parts.join(", ")}.`;
  });
  return ["Ratios to NGINX in the same round, medians.", ...sentences].join(" ");
}

interface Scale {
  readonly ticks: readonly number[];
  readonly x: (ratio: number) => number;
}

/** From the tick below the least value to the one above the most; 1 is always among them. */
function logScale(values: readonly number[]): Scale {
  const least = Math.min(1, ...values);
  const most = Math.max(1, ...values);
  const low = TICKS.findLast((tick) => tick <= least && tick < 1) ?? least;
  const high = TICKS.find((tick) => tick >= most && tick > 1) ?? most;
  const span = Math.log(high / low);
  const clamped = (ratio: number): number => Math.min(high, Math.max(low, ratio));
  return {
    ticks: TICKS.filter((tick) => tick >= low && tick <= high),
    x: (ratio) => rounded(LEFT + (Math.log(clamped(ratio) / low) / span) * (WIDTH - LEFT - RIGHT)),
  };
}

function axis({ ticks, x }: Scale, bottom: number): string {
  const lines = ticks.map((tick) => {
    const at = x(tick);
    return `<line class="${tick === 1 ? "one" : "grid"}" x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${bottom}"/>
<text class="small" x="${at}" y="${bottom + 16}" text-anchor="middle">${tick === 1 ? "1 = NGINX" : tick}</text>`;
  });
  const middle = (LEFT + WIDTH - RIGHT) / 2;
  const words = "ratio to NGINX in the same round; mark: median, line: least to most, green: goal of Holdfast";
  return `${lines.join("\n")}\n<text class="small" x="${middle}" y="${bottom + 34}" text-anchor="middle">${words}</text>`;
}

function legend(rows: readonly Row[]): string {
  const shown = PEER_NAMES.filter((name) => rows.some(({ lanes }) => lanes.some(({ peer }) => peer === name)));
  const items = shown.map((peer, index) => {
    const x = LEFT + index * 130;
    return `<g class="${peer}">${mark(peer, x, 84)}<text x="${x + 12}" y="88">${peer}</text></g>`;
  });
  return items.join("\n");
}

function rowMarks({ label, hint, goal, lanes }: Row, top: number, { x }: Scale): string {
  const goalAt = goal?.atMost ?? goal?.atLeast;
  const bottom = top + lanes.length * LANE;
  const goalLine =
    goalAt === undefined
      ? ""
      : `<line class="goal" x1="${x(goalAt)}" x2="${x(goalAt)}" y1="${top - 2}" y2="${bottom - 2}"/>`;
  const marks = lanes.map(({ peer, ratio }, index) => {
    const y = top + index * LANE + LANE / 2 - 2;
    const range = `${humanRatio(ratio.least)}–${humanRatio(ratio.most)}`;
    return `<g class="${peer}"><line class="whisker" x1="${x(ratio.least)}" x2="${x(ratio.most)}" y1="${y}" y2="${y}"/>
${mark(peer, x(ratio.median), y)}
<text class="small" x="${WIDTH - RIGHT + 14}" y="${y + 4}">${peer} ${humanRatio(ratio.median)} (${range})</text></g>`;
  });
  const middle = (top + bottom) / 2;
  return `<text x="16" y="${middle - 3}">${escaped(label)}</text>
<text class="small" x="16" y="${middle + 11}">${escaped(hint)}</text>
${goalLine}
${marks.join("\n")}`;
}

/** A shape for each: circle, diamond, square. */
function mark(peer: PeerName, x: number, y: number): string {
  if (peer === "holdfast") return `<circle class="mark" cx="${x}" cy="${y}" r="6"/>`;
  if (peer === "haproxy") return `<path class="mark" d="M${x} ${y - 6}l6 6l-6 6l-6 -6z"/>`;
  return `<rect class="mark" x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"/>`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
