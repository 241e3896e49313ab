import type { HistogramCounts } from "./duration-histogram.ts";
import type { MetricDefinition } from "./metric-definitions.ts";

/** How many lines are written before other work gets a turn; about a millisecond. */
const LINES_PER_TURN = 2_000;

export type Sample = readonly [labels: readonly string[], value: number];
export type HistogramSeries = readonly [labels: readonly string[], counts: HistogramCounts];

/**
 * Writes families with thousands of series in the Prometheus text format, a slice per turn of the event loop, so that
 * a scrape never stalls a tunnel. (prom-client writes a family in one go: 22 ms for 5,000 series.)
 */
export class Exposition {
  readonly #nextTurn: () => Promise<void>;
  #text = "";
  #lines = 0;

  /** `nextTurn` resolves when everything that waited had its turn. */
  constructor(nextTurn: () => Promise<void>) {
    this.#nextTurn = nextTurn;
  }

  get text(): string {
    return this.#text;
  }

  /** Adds a family; label values are in the order of the definition's labels. */
  async add(definition: MetricDefinition, samples: Iterable<Sample>): Promise<void> {
    const { name, labels } = definition;
    let text = headOf(definition);
    for (const [values, value] of samples) {
      text += `${name}${labelSet(labels, values)} ${value}\n`;
      if (++this.#lines < LINES_PER_TURN) continue;
      this.#lines = 0;
      await this.#nextTurn();
    }
    this.#text += text;
  }

  /** Adds a histogram with one series for each set of labels; so few lines that they are written at once. */
  addHistogram(definition: MetricDefinition, series: readonly HistogramSeries[]): void {
    this.#text += headOf(definition) + series.map((one) => seriesText(definition, one)).join("");
  }

  /** Adds text that was written elsewhere. */
  addText(text: string): void {
    this.#text += text.endsWith("\n") ? text : `${text}\n`;
  }
}

function headOf({ name, help, type }: MetricDefinition): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
}

function seriesText({ name, labels }: MetricDefinition, [values, { bounds, atMost, sum }]: HistogramSeries): string {
  const own = labelSet(labels, values);
  const buckets = atMost.map((count, i) => {
    const set = labelSet([...labels, "le"], [...values, `${bounds[i] ?? "+Inf"}`]);
    return `${name}_bucket${set} ${count}\n`;
  });
  return `${buckets.join("")}${name}_sum${own} ${sum}\n${name}_count${own} ${atMost.at(-1) ?? 0}\n`;
}

function labelSet(labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return "";
  return `{${labels.map((label, i) => `${label}="${escapeLabel(values[i] ?? "")}"`).join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
