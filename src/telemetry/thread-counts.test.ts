import { afterEach, expect, test } from "vitest";
import type { TunnelEnd } from "../relay/index.ts";
import type { UpstreamStats } from "../upstream/index.ts";
import { METRICS } from "./metric-definitions.ts";
import { Metrics } from "./metrics.ts";
import type { LiveTunnel } from "./rule-counters.ts";
import { sumRules, type ThreadCounts } from "./thread-counts.ts";

const STATS = { bytesUp: 10, bytesDown: 20, messagesUp: 1, messagesDown: 2 };
const END: TunnelEnd = {
  by: "client",
  cause: "client_close",
  codeToClient: 1000,
  codeToBackend: 1000,
  midFrame: true,
  opaque: false,
  durationMs: 61_000,
  stats: STATS,
};
const LIVE: LiveTunnel = { context: { route: "apps/chat", rule: "app" }, stats: STATS };

const made: Metrics[] = [];
afterEach(() => {
  for (const metrics of made.splice(0)) metrics.stop();
});

interface Counted {
  readonly opened: number;
  readonly ended: number;
  readonly backends?: Partial<UpstreamStats>;
}

/** A thread with so many tunnels behind it. */
function thread(number: number, { opened, ended, backends }: Counted): Metrics {
  const metrics = new Metrics({ thread: number, nextTurn: async () => {}, wallClock: () => 0 });
  made.push(metrics);
  for (let i = 0; i < opened; i++) metrics.handshake("apps/chat", "app", 12);
  for (let i = 0; i < ended; i++) metrics.tunnelEnded("apps/chat", "app", END);
  const tunnels = opened - ended;
  const upstream = "apps/chat:80" as UpstreamStats["upstream"];
  metrics.observe({
    tunnels: () => Array.from({ length: tunnels }, () => LIVE),
    upstreams: () => [{ upstream, ready: 2, draining: 0, pending: 0, tunnels, ...backends }],
    droppedLogLines: () => number,
    openDescriptors: async () => undefined,
  });
  return metrics;
}

async function crossed(metrics: Metrics): Promise<ThreadCounts> {
  return structuredClone(await metrics.collect());
}

async function samples(metrics: Metrics): Promise<string[]> {
  return (await metrics.render()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("several threads are shown as one process", async () => {
  const main = thread(0, { opened: 3, ended: 1, backends: { draining: 1, pending: 1 } });
  const others = [
    thread(1, { opened: 5, ended: 2, backends: { draining: 2, pending: 2 } }),
    thread(2, { opened: 1, ended: 1 }),
  ];
  main.sumWith(() => Promise.all(others.map(crossed)));
  const text = await main.render();
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      'holdfast_open_tunnels{route="apps/chat",rule="app"} 5',
      'holdfast_tunnels_opened_total{route="apps/chat",rule="app"} 9',
      'holdfast_tunnels_ended_total{route="apps/chat",rule="app",cause="client_close"} 4',
      'holdfast_tunnel_bytes_total{route="apps/chat",rule="app",direction="up"} 90',
      'holdfast_tunnel_messages_total{route="apps/chat",rule="app",direction="down"} 18',
      'holdfast_close_codes_sent_total{side="client",code="1000"} 4',
      "holdfast_tunnels_ended_mid_frame_total 4",
      'holdfast_handshake_duration_seconds_bucket{le="0.025"} 9',
      "holdfast_tunnel_duration_seconds_count 4",
      'holdfast_upstream_open_tunnels{upstream="apps/chat:80"} 5',
      'holdfast_upstream_pending_requests{upstream="apps/chat:80"} 3',
      'holdfast_upstream_backends{upstream="apps/chat:80",state="ready"} 2',
      'holdfast_upstream_backends{upstream="apps/chat:80",state="draining"} 2',
      'holdfast_data_thread_open_tunnels{thread="0"} 2',
      'holdfast_data_thread_open_tunnels{thread="1"} 3',
      'holdfast_data_thread_open_tunnels{thread="2"} 0',
      "holdfast_log_lines_dropped_total 3",
      "holdfast_data_thread_restarts_total 0",
    ]),
  );
  const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(new Set(families).size).toBe(families.length);
  expect(families).toContain("process_start_time_seconds");
});

test("thousands of rules are added up in slices, with turns for others between", async () => {
  const rules = Array.from({ length: 5_000 }, (_, i) => `chat-${i}`);
  const threads = [0, 1].map((number) => thread(number, { opened: 0, ended: 0 }));
  for (const metrics of threads) for (const rule of rules) metrics.handshake("apps/chat", rule, 1);
  const counts = await Promise.all(threads.map(crossed));
  let turns = 0;
  const sums = await sumRules(
    counts.map((each) => each.rules),
    async () => void turns++,
  );
  expect(new Set(sums.map(({ opened }) => opened))).toEqual(new Set([2]));
  expect(sums).toHaveLength(5_000);
  expect(turns).toBeGreaterThan(10);
});

test("where there is one thread, nothing is said of threads", async () => {
  expect(await thread(0, { opened: 1, ended: 0 }).render()).not.toContain("data_thread");
});

test("only the first thread tells of the process", async () => {
  const { counters } = await thread(1, { opened: 1, ended: 0 }).collect();
  expect(JSON.stringify(counters)).not.toMatch(/process_|nodejs_|gauge/);
});

test("a thread that ended leaves its counts behind, and its tunnels as cut ones, once", async () => {
  const main = thread(0, { opened: 1, ended: 0 });
  main.sumWith(async () => []);
  for (const number of [1, 2, 1]) main.inherit(await crossed(thread(number, { opened: 5, ended: 2 })));
  const first = await samples(main);
  expect(first).toEqual(
    expect.arrayContaining([
      'holdfast_open_tunnels{route="apps/chat",rule="app"} 1',
      'holdfast_tunnels_opened_total{route="apps/chat",rule="app"} 16',
      'holdfast_tunnels_ended_total{route="apps/chat",rule="app",cause="client_close"} 6',
      'holdfast_tunnels_ended_total{route="apps/chat",rule="app",cause="cut"} 9',
      'holdfast_tunnel_bytes_total{route="apps/chat",rule="app",direction="up"} 160',
      "holdfast_handshake_duration_seconds_count 16",
      "holdfast_log_lines_dropped_total 4",
    ]),
  );
  const ofUs = (line: string): boolean => line.startsWith("holdfast_") && !line.includes("event_loop");
  expect((await samples(main)).filter(ofUs)).toEqual(first.filter(ofUs));
});

test("what a thread leaves behind of a rule that was gone is shown once more, and then no more", async () => {
  const main = thread(0, { opened: 0, ended: 0 });
  const lost = thread(1, { opened: 1, ended: 0 });
  lost.rules.setGone("apps/chat/app", true);
  main.inherit(await crossed(lost));
  const opened = async (): Promise<string[]> =>
    (await samples(main)).filter((line) => line.startsWith(METRICS.tunnelsOpened.name));
  expect(await opened()).toHaveLength(1);
  expect(await opened()).toEqual([]);
});

test("the event loop's delay is that of the worst thread", async () => {
  const main = thread(0, { opened: 0, ended: 0 });
  const counts = await crossed(thread(1, { opened: 0, ended: 0 }));
  main.sumWith(async () => [{ ...counts, loopDelay: { p50Seconds: 71, p99Seconds: 72, maxSeconds: 73 } }]);
  expect((await samples(main)).filter((line) => line.startsWith(METRICS.eventLoopDelay.name))).toEqual([
    'holdfast_event_loop_delay_seconds{stat="p50"} 71',
    'holdfast_event_loop_delay_seconds{stat="p99"} 72',
    'holdfast_event_loop_delay_seconds{stat="max"} 73',
  ]);
});
