import { register as defaultRegister } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CLOSE_CODES, type TunnelEnd } from "../relay/index.ts";
import type { WaitingCount } from "../admission/index.ts";
import type { UpstreamStats } from "../upstream/index.ts";
import { METRICS, type MetricDefinition } from "./metric-definitions.ts";
import { metricsReference } from "./metrics-reference.ts";
import { Metrics } from "./metrics.ts";
import { ProxyTelemetry } from "./proxy-telemetry.ts";
import type { LiveTunnel } from "./rule-counters.ts";

const END: TunnelEnd = {
  by: "client",
  cause: "client_close",
  codeToClient: 1000,
  codeToBackend: 4401,
  midFrame: false,
  forced: false,
  opaque: false,
  clientFaults: undefined,
  backendFaults: undefined,
  roundTripMs: undefined,
  soundMs: 60_000,
  durationMs: 61_000,
  stats: { bytesUp: 10, bytesDown: 20, messagesUp: 1, messagesDown: 2 },
};
const CHAT = {
  id: "t1",
  route: "apps/chat",
  rule: "app",
  upstream: "apps/chat:80",
  backend: "10.0.0.1:80",
  clientAddress: "192.0.2.77",
};

interface Line {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

let metrics: Metrics;
let telemetry: ProxyTelemetry;
let lines: Line[];
let live: LiveTunnel[];
let upstreams: UpstreamStats[];
let waiting: WaitingCount[];
let turns: number;
beforeEach(() => {
  lines = [];
  live = [];
  upstreams = [];
  waiting = [];
  turns = 0;
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, message });
  const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  metrics = new Metrics({
    nextTurn: async () => {
      turns++;
    },
    wallClock: () => 1_000_000,
  });
  metrics.observe({
    tunnels: () => live,
    upstreams: () => upstreams,
    waiting: () => waiting,
    droppedLogLines: () => 3,
    openDescriptors: async () => 42,
  });
  telemetry = new ProxyTelemetry({ log, metrics, now: () => 0 });
});
afterEach(() => {
  metrics.stop();
});

async function samples(): Promise<string[]> {
  return (await metrics.render()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

async function samplesOf(definition: MetricDefinition): Promise<string[]> {
  return (await samples()).filter(
    (line) => line.startsWith(`${definition.name}{`) || line.startsWith(`${definition.name} `),
  );
}

test("a tunnel's life is counted by rule, cause, direction and code", async () => {
  telemetry.handshakeSucceeded(CHAT, 12);
  telemetry.tunnelEnded(CHAT, END);
  expect(await samples()).toEqual(
    expect.arrayContaining([
      'holdfast_tunnels_opened_total{route="apps/chat",rule="app"} 1',
      'holdfast_tunnels_ended_total{route="apps/chat",rule="app",cause="client_close"} 1',
      'holdfast_tunnel_bytes_total{route="apps/chat",rule="app",direction="up"} 10',
      'holdfast_tunnel_bytes_total{route="apps/chat",rule="app",direction="down"} 20',
      'holdfast_tunnel_messages_total{route="apps/chat",rule="app",direction="down"} 2',
      'holdfast_close_codes_sent_total{side="client",code="1000",cause="client_close"} 1',
      'holdfast_close_codes_sent_total{side="backend",code="4xxx",cause="client_close"} 1',
      'holdfast_handshake_duration_seconds_bucket{le="0.025"} 1',
      'holdfast_handshake_duration_seconds_bucket{le="0.01"} 0',
      'holdfast_tunnel_duration_seconds_bucket{le="60"} 0',
      'holdfast_tunnel_duration_seconds_bucket{le="300"} 1',
      "holdfast_log_lines_dropped_total 3",
      "process_open_fds 42",
    ]),
  );
});

test("how a tunnel broke is counted, and stands in its line; a sound one says nothing of it", async () => {
  telemetry.tunnelEnded(CHAT, END);
  const broken = { midFrame: true, forced: true, opaque: true, clientFaults: { count: 3, first: "bad_mask" as const } };
  telemetry.tunnelEnded(CHAT, { ...END, ...broken, backendFaults: { count: 1, first: "bad_close" } });
  telemetry.tunnelEnded(CHAT, { ...END, ...broken });
  expect(await samples()).toEqual(
    expect.arrayContaining([
      "holdfast_tunnels_ended_mid_frame_total 2",
      "holdfast_tunnels_ended_forced_total 2",
      "holdfast_tunnels_ended_opaque_total 2",
      'holdfast_tunnels_ended_at_fault_total{side="client",fault="bad_mask"} 2',
      'holdfast_tunnels_ended_at_fault_total{side="backend",fault="bad_close"} 1',
    ]),
  );
  const told = lines.map(({ fields }) => Object.entries(fields).filter(([, value]) => value !== undefined).length);
  expect(told[1]).toBe((told[0] ?? 0) + 7);
  const said = { midFrame: true, forced: true, opaque: true, clientFaults: 3, clientFault: "bad_mask" };
  expect(lines[1]?.fields).toMatchObject({ ...said, backendFaults: 1, backendFault: "bad_close" });
});

test("Pings, their Pongs and how long those took are counted by side", async () => {
  const { relayObserver } = metrics;
  for (let i = 0; i < 3; i++) relayObserver.pingSent("client");
  relayObserver.pingSent("backend");
  relayObserver.pingAnswered("client", 4);
  relayObserver.pingAnswered("client", 40_000);
  relayObserver.pingAnswered("backend", 1_500);
  expect(await samples()).toEqual(
    expect.arrayContaining([
      'holdfast_pings_sent_total{side="client"} 3',
      'holdfast_pings_sent_total{side="backend"} 1',
      'holdfast_pings_answered_total{side="client"} 2',
      'holdfast_pings_answered_total{side="backend"} 1',
      'holdfast_ping_round_trip_seconds_bucket{side="client",le="0.0025"} 0',
      'holdfast_ping_round_trip_seconds_bucket{side="client",le="0.005"} 1',
      'holdfast_ping_round_trip_seconds_bucket{side="client",le="30"} 1',
      'holdfast_ping_round_trip_seconds_bucket{side="client",le="+Inf"} 2',
      'holdfast_ping_round_trip_seconds_sum{side="client"} 40.004',
      'holdfast_ping_round_trip_seconds_count{side="client"} 2',
      'holdfast_ping_round_trip_seconds_sum{side="backend"} 1.5',
    ]),
  );
});

test.for([
  { roundTripMs: 0, told: 0 },
  { roundTripMs: 0.04, told: 0 },
  { roundTripMs: 12.3456, told: 12.3 },
  { roundTripMs: 1_999.96, told: 2_000 },
  { roundTripMs: undefined, told: undefined },
])("a round trip of $roundTripMs ms stands as $told in the line of the end", ({ roundTripMs, told }) => {
  telemetry.tunnelEnded(CHAT, { ...END, roundTripMs });
  expect(lines[0]?.fields["roundTripMs"]).toBe(told);
});

test("what waits in buffers, what may, and the timers are read at each scrape; who does not tell has no such series", async () => {
  const budget = [METRICS.bufferedBytes, METRICS.bufferBudget, METRICS.readersHeld, METRICS.maxTunnels, METRICS.timers];
  for (const { name } of budget) expect(await metrics.render()).not.toContain(name);
  let usedBytes = 7;
  const counts = { tunnels: () => [], upstreams: () => [], droppedLogLines: () => 0, openDescriptors: async () => 0 };
  let maxTunnels: number | undefined = 31_900;
  const buffers = () => ({ usedBytes, limitBytes: 1_000, heldFlows: 2 });
  metrics.observe({ ...counts, buffers, maxTunnels: () => maxTunnels, timers: () => 5 });
  expect(await Promise.all(budget.map(samplesOf))).toEqual([
    ["holdfast_buffered_bytes 7"],
    ["holdfast_buffer_budget_bytes 1000"],
    ["holdfast_readers_held 2"],
    ["holdfast_max_tunnels 31900"],
    ["holdfast_timers 5"],
  ]);
  usedBytes = 0;
  maxTunnels = undefined;
  expect(await Promise.all(budget.map(samplesOf))).toEqual([
    ["holdfast_buffered_bytes 0"],
    ["holdfast_buffer_budget_bytes 1000"],
    ["holdfast_readers_held 2"],
    [],
    ["holdfast_timers 5"],
  ]);
});

test("live tunnels are counted when they are looked at: open ones, their bytes and their messages", async () => {
  telemetry.handshakeSucceeded(CHAT, 1);
  telemetry.handshakeSucceeded({ ...CHAT, id: "t2" }, 1);
  telemetry.tunnelEnded(CHAT, END);
  live = [{ context: CHAT, stats: { bytesUp: 5, bytesDown: 0, messagesUp: 1, messagesDown: 0 } }];
  expect(await samplesOf(METRICS.openTunnels)).toEqual(['holdfast_open_tunnels{route="apps/chat",rule="app"} 1']);
  expect((await samplesOf(METRICS.tunnelBytes))[0]).toMatch(/direction="up"} 15$/);
  expect((await samplesOf(METRICS.tunnelMessages))[0]).toMatch(/direction="up"} 2$/);
});

test("the series of a rule that is gone stay until its last tunnel has ended, and are shown once more then", async () => {
  telemetry.handshakeSucceeded(CHAT, 1);
  live = [{ context: CHAT, stats: END.stats }];
  metrics.rules.setGone("apps/chat/app", true);
  expect(await samplesOf(METRICS.openTunnels)).toHaveLength(1);
  expect(await samplesOf(METRICS.openTunnels)).toHaveLength(1);
  live = [];
  telemetry.tunnelEnded(CHAT, END);
  expect(await samplesOf(METRICS.tunnelsEnded)).toHaveLength(1);
  expect(await samplesOf(METRICS.tunnelsEnded)).toEqual([]);
});

test("a rule that comes back keeps its series", async () => {
  telemetry.handshakeSucceeded(CHAT, 1);
  metrics.rules.setGone("apps/chat/app", true);
  metrics.rules.setGone("apps/chat/app", false);
  await metrics.render();
  expect(await samplesOf(METRICS.tunnelsOpened)).toHaveLength(1);
});

test("upstreams show their tunnels, pending requests, ready and draining backends, and why some are out", async () => {
  upstreams = [
    {
      upstream: "apps/chat:80" as UpstreamStats["upstream"],
      ready: 2,
      draining: 1,
      out: new Map([["ejected", 3]] as const),
      pending: 4,
      tunnels: 7,
    },
  ];
  expect(await samples()).toEqual(
    expect.arrayContaining([
      'holdfast_upstream_open_tunnels{upstream="apps/chat:80"} 7',
      'holdfast_upstream_pending_requests{upstream="apps/chat:80"} 4',
      'holdfast_upstream_backends{upstream="apps/chat:80",state="ready"} 2',
      'holdfast_upstream_backends{upstream="apps/chat:80",state="draining"} 1',
      'holdfast_upstream_backends_out{upstream="apps/chat:80",reason="ejected"} 3',
    ]),
  );
});

test("handshakes that wait are counted by rule and by what they wait for; where nobody waits there is no series", async () => {
  expect(await samplesOf(METRICS.waitingHandshakes)).toEqual([]);
  waiting = [
    { route: "apps/chat", rule: "app", why: "hold", count: 7 },
    { route: "apps/chat", rule: "other", why: "queue", count: 3 },
  ];
  expect(await samplesOf(METRICS.waitingHandshakes)).toEqual([
    'holdfast_waiting_handshakes{route="apps/chat",rule="app",why="hold"} 7',
    'holdfast_waiting_handshakes{route="apps/chat",rule="other",why="queue"} 3',
  ]);
});

test("further tries are counted by reason and by what came of them", async () => {
  telemetry.triedAgain({ reason: "Connect", result: "tried", upgrade: true });
  telemetry.triedAgain({ reason: "Connect", result: "tried", upgrade: false });
  telemetry.triedAgain({ reason: "503", result: "no_budget", upgrade: true });
  expect(await samplesOf(METRICS.retries)).toEqual([
    'holdfast_retries_total{reason="Connect",result="tried"} 2',
    'holdfast_retries_total{reason="503",result="no_budget"} 1',
  ]);
});

test("refusals and plain requests are counted by code and class", async () => {
  const refusal = { status: 404, detail: "", route: undefined, rule: undefined, clientAddress: "192.0.2.77" };
  telemetry.refused({ ...refusal, code: "HF_NO_ROUTE", upgrade: true });
  const forwarded = { route: CHAT.route, rule: CHAT.rule, durationMs: 1 };
  telemetry.forwarded({ ...forwarded, status: 204, upgrade: false });
  telemetry.forwarded({ ...forwarded, status: 401, upgrade: true });
  expect(await samples()).toEqual(
    expect.arrayContaining([
      'holdfast_refusals_total{code="HF_NO_ROUTE"} 1',
      'holdfast_plain_requests_total{class="2xx"} 1',
      'holdfast_handshakes_refused_by_backend_total{class="4xx"} 1',
    ]),
  );
});

test("no label ever holds the address of a client", async () => {
  telemetry.handshakeSucceeded(CHAT, 1);
  telemetry.tunnelEnded(CHAT, END);
  expect(await metrics.render()).not.toContain(CHAT.clientAddress);
});

test("peers cannot make series: close codes of their choice share a label", async () => {
  for (let code = 0; code < 5_000; code++) {
    telemetry.tunnelEnded(CHAT, { ...END, codeToClient: code, codeToBackend: undefined });
  }
  const codes = await samplesOf(METRICS.closeCodesSent);
  // Those of one cause; the causes are ours and few.
  expect(codes.length).toBeLessThanOrEqual(20);
  expect(codes).toContain('holdfast_close_codes_sent_total{side="backend",code="none",cause="client_close"} 5000');
});

test("one line tells a tunnel's end", () => {
  telemetry.tunnelEnded(CHAT, END);
  expect(lines).toEqual([
    {
      level: "info",
      message: "tunnel ended",
      fields: {
        tunnelId: "t1",
        route: "apps/chat",
        rule: "app",
        upstream: "apps/chat:80",
        backend: "10.0.0.1:80",
        client: "192.0.2.77",
        durationMs: 61_000,
        bytesUp: 10,
        bytesDown: 20,
        messagesUp: 1,
        messagesDown: 2,
        by: "client",
        cause: "client_close",
        codeToClient: 1000,
        codeToBackend: 4401,
      },
    },
  ]);
});

test("a flood of refusals writes some lines at the code's level and counts the others", async () => {
  const refusal = { detail: "", route: undefined, rule: undefined, clientAddress: "192.0.2.1", upgrade: true };
  for (let i = 0; i < 100; i++) telemetry.refused({ ...refusal, code: "HF_NO_BACKEND", status: 503 });
  expect(lines).toHaveLength(20);
  expect(lines[0]).toMatchObject({ level: "warn", message: "request refused", fields: { code: "HF_NO_BACKEND" } });
  expect(await samplesOf(METRICS.logLinesSuppressed)).toEqual(["holdfast_log_lines_suppressed_total 80"]);
  expect(await samplesOf(METRICS.refusals)).toEqual(['holdfast_refusals_total{code="HF_NO_BACKEND"} 100']);
});

test("thousands of rules are written in slices, with turns for others between", async () => {
  for (let i = 0; i < 5_000; i++) telemetry.handshakeSucceeded({ ...CHAT, route: `apps/chat-${i}` }, 1);
  expect(await samplesOf(METRICS.tunnelsOpened)).toHaveLength(5_000);
  expect(turns).toBeGreaterThan(10);
});

test("scrapes that come together share one answer", async () => {
  const [first, second] = [metrics.render(), metrics.render()];
  expect(second).toBe(first);
  await first;
});

test("label values are escaped", async () => {
  telemetry.handshakeSucceeded({ ...CHAT, rule: 'a"b\\c\nd' }, 1);
  expect(await samplesOf(METRICS.tunnelsOpened)).toEqual([
    'holdfast_tunnels_opened_total{route="apps/chat",rule="a\\"b\\\\c\\nd"} 1',
  ]);
});

test("names begin with holdfast_ and end with a unit where they have one, labels are of a fixed set", () => {
  const allowed = new Set(
    "route rule upstream cause direction side code class state stat kind result fault reason type why".split(" "),
  );
  for (const { name, type, labels } of Object.values<MetricDefinition>(METRICS)) {
    expect(name).toMatch(/^holdfast_[a-z_]+$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
    for (const label of labels) expect(allowed).toContain(label);
  }
});

test("the registry is our own and holds the metrics of the process", async () => {
  expect(defaultRegister.getMetricsAsArray()).toEqual([]);
  expect(await metrics.render()).toMatch(/^process_cpu_user_seconds_total /m);
});

test("every family is described once, and the reference page has them all", async () => {
  const described = [...(await metrics.render()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(new Set(described).size).toBe(described.length);
  const page = metricsReference();
  for (const { name } of Object.values<MetricDefinition>(METRICS)) expect(page).toContain(`| \`${name}\` |`);
});

test("the help of what is counted by cause or fault names each, and the reference page says what they mean", () => {
  const page = metricsReference();
  for (const [cause, { toClient, toBackend }] of Object.entries(CLOSE_CODES)) {
    for (const { help } of [METRICS.tunnelsEnded, METRICS.closeCodesSent]) expect(help).toContain(cause);
    const codes = `${toClient ?? "–"} | ${toBackend ?? "–"} |`;
    expect(page.split("\n").filter((row) => row.startsWith(`| \`${cause}\` |`) && row.endsWith(codes))).toHaveLength(1);
  }
  expect(METRICS.tunnelsAtFault.help).toContain("reserved_bits, reserved_opcode");
  expect(page).toMatch(/^\| `reserved_bits` \| .*5\.2/m);
});

test("the age of what is known of a kind is counted up to the scrape, also when nobody tells of it any more", async () => {
  expect(await metrics.render()).not.toContain("holdfast_source_age_seconds");
  metrics.sourceHeard([
    { kind: "Service", atMs: 992_500 },
    { kind: "EndpointSlice", atMs: 1_000_000 },
  ]);
  const text = await metrics.render();
  expect(text).toContain('holdfast_source_age_seconds{kind="Service"} 7.5');
  expect(text).toContain('holdfast_source_age_seconds{kind="EndpointSlice"} 0');
});
