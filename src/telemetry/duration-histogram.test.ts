import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { DurationHistogram } from "./duration-histogram.ts";
import { Exposition } from "./exposition.ts";
import type { MetricDefinition } from "./metric-definitions.ts";

const BOUNDS = [0.001, 0.25, 1, 60];
const DEFINITION: MetricDefinition = {
  name: "a_seconds",
  type: "histogram",
  help: 'A help\\text\nwith "all" of it.',
  labels: [],
  buckets: BOUNDS,
};

function textOf(histogram: DurationHistogram): string {
  const out = new Exposition(async () => {});
  out.addHistogram(DEFINITION, [[[], histogram.collect()]]);
  return out.text;
}

test("a value on a bound counts below it, one above all bounds only in all of them", () => {
  const histogram = new DurationHistogram(BOUNDS);
  for (const seconds of [0, 0.001, 0.0011, 1, 60, 60.001, 1e9]) histogram.observe(seconds);
  expect(histogram.collect().atMost).toEqual([2, 3, 4, 5, 7]);
});

test("collecting changes nothing, and what was collected stays as it was", () => {
  const histogram = new DurationHistogram(BOUNDS);
  histogram.observe(2);
  const first = histogram.collect();
  expect(histogram.collect()).toEqual(first);
  histogram.observe(2);
  expect(first).toEqual({ bounds: BOUNDS, atMost: [0, 0, 0, 1, 1], sum: 2 });
});

test("the text is what prom-client writes of the same values, also of none", async () => {
  const second = fc.oneof(fc.constantFrom(0, ...BOUNDS), fc.double({ min: 0, max: 100, noNaN: true }));
  await fc.assert(
    fc.asyncProperty(fc.array(second), async (seconds) => {
      const registry = new Registry();
      const { name, help } = DEFINITION;
      const theirs = new Histogram({ name, help, buckets: BOUNDS, registers: [registry] });
      const ours = new DurationHistogram(BOUNDS);
      for (const value of seconds) {
        theirs.observe(value);
        ours.observe(value);
      }
      expect(textOf(ours)).toBe(await registry.metrics());
    }),
  );
});

test("series of several labels stand under one head, as prom-client writes them", async () => {
  const registry = new Registry();
  const { name, help } = DEFINITION;
  const labels = ["side", "kind"];
  const theirs = new Histogram({ name, help, labelNames: labels, buckets: BOUNDS, registers: [registry] });
  const series = [
    ["a", 'with "quotes"'],
    ["b", ""],
  ].map((values) => {
    const ours = new DurationHistogram(BOUNDS);
    for (const seconds of [0.5, 99]) {
      ours.observe(seconds);
      theirs.observe({ side: values[0] ?? "", kind: values[1] ?? "" }, seconds);
    }
    return [values, ours.collect()] as const;
  });
  const out = new Exposition(async () => {});
  out.addHistogram({ ...DEFINITION, labels }, series);
  const inOneOrder = (text: string): readonly string[] =>
    text
      .split("\n")
      .map((line) => line.replace(/\{(.*)\}/, (_, set: string) => `{${set.split(",").toSorted().join(",")}}`));
  expect(inOneOrder(out.text)).toEqual(inOneOrder(await registry.metrics()));
});
