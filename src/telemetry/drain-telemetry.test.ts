import { expect, test } from "vitest";
import type { DrainFacts } from "../drain/index.ts";
import { DrainTelemetry } from "./drain-telemetry.ts";
import { Metrics } from "./metrics.ts";

const FACTS: DrainFacts = {
  id: "auto/7",
  reason: "terminating",
  ruleId: "apps/chat/0" as NonNullable<DrainFacts["ruleId"]>,
  upstream: "apps/chat:80",
  backend: "10.0.0.1:80",
  text: undefined,
  withinMs: 25_000,
  perSecond: 0,
  state: "running",
  waiting: 3,
  closing: 2,
  gone: 5,
  startedAtMs: 1_000,
  endsAtMs: 26_000,
};

function setUp(): {
  telemetry: DrainTelemetry;
  metrics: Metrics;
  lines: { readonly level: string; readonly fields: object; readonly message: string }[];
} {
  const lines: { level: string; fields: object; message: string }[] = [];
  const say =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ level, fields, message });
  const log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const metrics = new Metrics({ nextTurn: async () => {}, wallClock: Date.now });
  return { telemetry: new DrainTelemetry({ log, metrics, now: () => 3_500 }), metrics, lines };
}

test("a drain that begins, is late and is done gives three lines and is counted with what was left", async () => {
  const { telemetry, metrics, lines } = setUp();
  telemetry.began(FACTS);
  telemetry.late({ ...FACTS, state: "late" });
  telemetry.ended({ ...FACTS, state: "done", waiting: 0, closing: 0, gone: 10 });
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    "info drain begins",
    "warn drain is late",
    "info drain done",
  ]);
  expect(lines[1]?.fields).toMatchObject({
    drain: "auto/7",
    reason: "terminating",
    rule: "apps/chat/0",
    backend: "10.0.0.1:80",
    waiting: 3,
    closing: 2,
    gone: 5,
    forMs: 2_500,
  });
  const text = await metrics.render();
  expect(text).toContain('holdfast_drains_begun_total{reason="terminating"} 1');
  expect(text).toContain('holdfast_drains_late_total{reason="terminating"} 1');
  expect(text).toContain('holdfast_drain_tunnels_left_total{reason="terminating"} 5');
  metrics.stop();
});

test("one that is called off says so", () => {
  const { telemetry, metrics, lines } = setUp();
  telemetry.ended({ ...FACTS, state: "stopped" });
  expect(lines).toMatchObject([{ message: "drain stopped", fields: { waiting: 3 } }]);
  metrics.stop();
});

test("thousands of rules that drain one Pod fill no disk, and every one of them is counted", async () => {
  const { telemetry, metrics, lines } = setUp();
  for (let i = 0; i < 5_000; i++) telemetry.began(FACTS);
  expect(lines).toHaveLength(50);
  const text = await metrics.render();
  expect(text).toContain('holdfast_drains_begun_total{reason="terminating"} 5000');
  expect(text).toContain("holdfast_log_lines_suppressed_total 4950");
  metrics.stop();
});

test("at a scrape, those in drains are summed by reason and state", async () => {
  const { metrics } = setUp();
  metrics.observe({
    tunnels: () => [],
    upstreams: () => [],
    droppedLogLines: () => 0,
    openDescriptors: async () => undefined,
    drains: () => [FACTS, FACTS, { ...FACTS, reason: "operator", waiting: 1, closing: 0 }],
  });
  const text = await metrics.render();
  expect(text).toContain('holdfast_drain_tunnels{reason="terminating",state="waiting"} 6');
  expect(text).toContain('holdfast_drain_tunnels{reason="terminating",state="closing"} 4');
  expect(text).toContain('holdfast_drain_tunnels{reason="operator",state="waiting"} 1');
  metrics.stop();
});
