import { expect, test } from "vitest";
import type { VerdictNews } from "../health/index.ts";
import type { Backend } from "../upstream/index.ts";
import type { UpstreamKey } from "../routing/index.ts";
import { HealthTelemetry } from "./health-telemetry.ts";
import { Metrics } from "./metrics.ts";

const CHAT = "apps/chat:80" as UpstreamKey;
const NEWS: VerdictNews = {
  verdict: "failing",
  backend: { upstream: CHAT, target: "10.0.0.1:80" } as Backend,
  active: {
    key: "k",
    type: "HTTP",
    path: "/?token=secret",
    host: undefined,
    port: 8081,
    intervalMs: 10_000,
    timeoutMs: 2_000,
    unhealthyAfter: 3,
    healthyAfter: 2,
  },
  answer: { result: "bad_answer", why: "status 500" },
};

interface Line {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

function setUp(): { telemetry: HealthTelemetry; metrics: Metrics; lines: Line[] } {
  const lines: Line[] = [];
  const say =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ level, fields, message });
  const log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  const metrics = new Metrics({ nextTurn: async () => {}, wallClock: Date.now });
  return { telemetry: new HealthTelemetry({ log, metrics, now: () => 0 }), metrics, lines };
}

test("a backend that fails its probe and is well again gives two lines, with who, by what, and why", () => {
  const { telemetry, metrics, lines } = setUp();
  telemetry.verdict(NEWS);
  telemetry.verdict({
    ...NEWS,
    verdict: "well",
    answer: { result: "success", why: "" },
    active: { ...NEWS.active, port: 0 },
  });
  expect(lines).toEqual([
    {
      level: "warn",
      message: "backend fails its probe",
      fields: {
        upstream: CHAT,
        backend: "10.0.0.1:80",
        probe: "HTTP",
        port: 8081,
        result: "bad_answer",
        why: "status 500",
      },
    },
    {
      level: "info",
      message: "backend is well again",
      fields: { upstream: CHAT, backend: "10.0.0.1:80", probe: "HTTP", result: "success" },
    },
  ]);
  metrics.stop();
});

test("every probe is counted, by its type and how it ended, and is no line", async () => {
  const { telemetry, metrics, lines } = setUp();
  for (let i = 0; i < 3; i++) telemetry.probed("WebSocket", "success");
  telemetry.probed("TCP", "no_connection");
  const text = await metrics.render();
  expect(text).toContain('holdfast_probes_total{type="WebSocket",result="success"} 3');
  expect(text).toContain('holdfast_probes_total{type="TCP",result="no_connection"} 1');
  expect(lines).toEqual([]);
  metrics.stop();
});

test("a Service of thousands that goes at once fills no disk", async () => {
  const { telemetry, metrics, lines } = setUp();
  for (let i = 0; i < 5_000; i++) telemetry.verdict(NEWS);
  expect(lines).toHaveLength(50);
  expect(await metrics.render()).toContain("holdfast_log_lines_suppressed_total 4950");
  metrics.stop();
});

test("an upstream with too many kinds of probes is named", () => {
  const { telemetry, metrics, lines } = setUp();
  telemetry.crowded(CHAT, 16);
  expect(lines).toMatchObject([{ level: "warn", fields: { upstream: CHAT, most: 16 } }]);
  metrics.stop();
});
