import { DRAIN_REASONS, END_CAUSES, FRAME_FAULTS } from "./end-causes.ts";

/** A metric as /metrics shows it and as docs/reference/metrics.md describes it. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Each has a bounded set of values: names of routes, rules and upstreams, or a fixed list. */
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in the unit of its name. */
  readonly buckets?: readonly number[];
}

const CAUSES = Object.keys(END_CAUSES).join(", ");
const REASONS = Object.keys(DRAIN_REASONS).join(", ");
const FAULTS = Object.keys(FRAME_FAULTS).join(", ");

/** Every metric of ours; `process_*` and `nodejs_*` come from prom-client. */
export const METRICS = {
  openTunnels: {
    name: "holdfast_open_tunnels",
    type: "gauge",
    help: "Tunnels that are open now, closing ones included, by rule.",
    labels: ["route", "rule"],
  },
  tunnelsOpened: {
    name: "holdfast_tunnels_opened_total",
    type: "counter",
    help: "Handshakes that became a tunnel, by rule.",
    labels: ["route", "rule"],
  },
  tunnelsEnded: {
    name: "holdfast_tunnels_ended_total",
    type: "counter",
    help: `Tunnels that ended, by rule and cause: ${CAUSES}.`,
    labels: ["route", "rule", "cause"],
  },
  tunnelBytes: {
    name: "holdfast_tunnel_bytes_total",
    type: "counter",
    help: "Bytes relayed, live tunnels included. Direction: up is client to backend, down is backend to client.",
    labels: ["route", "rule", "direction"],
  },
  tunnelMessages: {
    name: "holdfast_tunnel_messages_total",
    type: "counter",
    help: "WebSocket messages relayed, live tunnels included, by direction.",
    labels: ["route", "rule", "direction"],
  },
  tunnelsMidFrame: {
    name: "holdfast_tunnels_ended_mid_frame_total",
    type: "counter",
    help: "Tunnels that ended inside a frame, so that no Close could be written to a side.",
    labels: [],
  },
  drainsBegun: {
    name: "holdfast_drains_begun_total",
    type: "counter",
    help: `Drains that began, by reason: ${REASONS}.`,
    labels: ["reason"],
  },
  drainsLate: {
    name: "holdfast_drains_late_total",
    type: "counter",
    help: "Drains whose time was up with tunnels left, by reason.",
    labels: ["reason"],
  },
  drainTunnelsLeft: {
    name: "holdfast_drain_tunnels_left_total",
    type: "counter",
    help: "Tunnels that were left when the time of their drain was up, by reason.",
    labels: ["reason"],
  },
  drainTunnels: {
    name: "holdfast_drain_tunnels",
    type: "gauge",
    help: "Tunnels in drains now, by reason and state: waiting (not yet told to close) or closing (told, not yet gone).",
    labels: ["reason", "state"],
  },
  tunnelsForced: {
    name: "holdfast_tunnels_ended_forced_total",
    type: "counter",
    help: "Tunnels with a side that did not end TCP in time after all had been said, so that Holdfast did.",
    labels: [],
  },
  tunnelsOpaque: {
    name: "holdfast_tunnels_ended_opaque_total",
    type: "counter",
    help: "Tunnels whose framing was lost: their bytes still flowed, nothing could be injected any more.",
    labels: [],
  },
  tunnelsAtFault: {
    name: "holdfast_tunnels_ended_at_fault_total",
    type: "counter",
    help: `Tunnels in which a side broke RFC 6455 by its frames, by that side and what it did first: ${FAULTS}. Where frames.strictness is Enforce they ended for it, with the cause protocol_error; else their frames passed.`,
    labels: ["side", "fault"],
  },
  tunnelDuration: {
    name: "holdfast_tunnel_duration_seconds",
    type: "histogram",
    help: "How long tunnels lasted.",
    labels: [],
    buckets: [1, 10, 60, 300, 1800, 3600, 21_600, 86_400, 604_800],
  },
  closeCodesSent: {
    name: "holdfast_close_codes_sent_total",
    type: "counter",
    help: `Tunnels that ended, by the last Close code sent to each side, passed on or ours: by side (client, backend), code (1000 to 1015 as they are, 3xxx, 4xxx, other, and none when no Close was sent) and cause of the end: ${CAUSES}.`,
    labels: ["side", "code", "cause"],
  },
  pingsSent: {
    name: "holdfast_pings_sent_total",
    type: "counter",
    help: "Pings of ours that left, by the side they were for (client, backend).",
    labels: ["side"],
  },
  pingsAnswered: {
    name: "holdfast_pings_answered_total",
    type: "counter",
    help: "Pings of ours that were answered by their Pong, by side. A side that sends other bytes instead is alive too.",
    labels: ["side"],
  },
  pingRoundTrip: {
    name: "holdfast_ping_round_trip_seconds",
    type: "histogram",
    help: "From a Ping of ours that has left to its Pong, by side.",
    labels: ["side"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  bufferedBytes: {
    name: "holdfast_buffered_bytes",
    type: "gauge",
    help: "Memory that waits in all tunnels for a side that is slow to take what it is sent, as estimated when it was last looked at.",
    labels: [],
  },
  bufferBudget: {
    name: "holdfast_buffer_budget_bytes",
    type: "gauge",
    help: "How much of holdfast_buffered_bytes is allowed. Above it new handshakes are refused, and the fattest readers held.",
    labels: [],
  },
  readersHeld: {
    name: "holdfast_readers_held",
    type: "gauge",
    help: "Directions of tunnels that are not read from now, since the buffer budget is used up or they held too much of it.",
    labels: [],
  },
  maxTunnels: {
    name: "holdfast_max_tunnels",
    type: "gauge",
    help: "Tunnels that this process can hold at once; above it handshakes are refused. Absent where there is no such limit.",
    labels: [],
  },
  timers: {
    name: "holdfast_timers",
    type: "gauge",
    help: "Timers of tunnels, handshakes and connections that are set now.",
    labels: [],
  },
  handshakeDuration: {
    name: "holdfast_handshake_duration_seconds",
    type: "histogram",
    help: "From the complete head of a request to our 101, for handshakes that became a tunnel.",
    labels: [],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  refusals: {
    name: "holdfast_refusals_total",
    type: "counter",
    help: "Requests answered by Holdfast and not by a backend, by error code (see errors.md).",
    labels: ["code"],
  },
  plainRequests: {
    name: "holdfast_plain_requests_total",
    type: "counter",
    help: "Plain requests answered by a backend, by class of the status (1xx to 5xx).",
    labels: ["class"],
  },
  handshakesRefused: {
    name: "holdfast_handshakes_refused_by_backend_total",
    type: "counter",
    help: "Handshakes that a backend answered with something else than 101, by class of the status.",
    labels: ["class"],
  },
  retries: {
    name: "holdfast_retries_total",
    type: "counter",
    help: "Failures that a rule's retry names, by reason (Connect, Timeout, 502, 503) and result: tried (once more, on another backend), no_budget (retry.budgetPercent is used up), no_backend (there is no other).",
    labels: ["reason", "result"],
  },
  waitingHandshakes: {
    name: "holdfast_waiting_handshakes",
    type: "gauge",
    help: "Handshakes that wait now, by rule and why: hold (no backend is ready, admission.holdUntilReady), queue (a limit of admission). Absent for rules for which nobody waits.",
    labels: ["route", "rule", "why"],
  },
  upstreamTunnels: {
    name: "holdfast_upstream_open_tunnels",
    type: "gauge",
    help: "Tunnels that are open now, by upstream (namespace/service:port).",
    labels: ["upstream"],
  },
  upstreamPending: {
    name: "holdfast_upstream_pending_requests",
    type: "gauge",
    help: "Handshakes and plain requests under way, by upstream.",
    labels: ["upstream"],
  },
  upstreamBackends: {
    name: "holdfast_upstream_backends",
    type: "gauge",
    help: "Backends by upstream and state: ready ones take new tunnels as far as the source and orders say, draining ones take none and still carry some.",
    labels: ["upstream", "state"],
  },
  upstreamBackendsOut: {
    name: "holdfast_upstream_backends_out",
    type: "gauge",
    help: "Backends that are passed over for new tunnels, by upstream and reason: unready, terminating, vanished or unlisted (as the source says), cordoned (an order), ejected (dials, answers or tunnels failed), failing (a probe of ours), full (maxTunnelsPerBackend).",
    labels: ["upstream", "reason"],
  },
  probes: {
    name: "holdfast_probes_total",
    type: "counter",
    help: "Probes of backends (health.active) that ended, by type (TCP, HTTP, WebSocket) and result: success, no_connection, timeout, bad_answer (answered, but not as one that is well does), forbidden (nothing may be connected to there).",
    labels: ["type", "result"],
  },
  tableGeneration: {
    name: "holdfast_table_generation",
    type: "gauge",
    help: "Generation of the routing table in force; 0 before the first.",
    labels: [],
  },
  routes: {
    name: "holdfast_routes",
    type: "gauge",
    help: "Routes of our class by state (accepted, rejected) as of the last build.",
    labels: ["state"],
  },
  buildDuration: {
    name: "holdfast_table_build_duration_seconds",
    type: "histogram",
    help: "Time the control thread took to build a table that became live.",
    labels: [],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  sourceProblems: {
    name: "holdfast_source_problems",
    type: "gauge",
    help: "Problems of the source that stand now: files that do not parse, objects that are not valid, names that do not resolve.",
    labels: [],
  },
  sourceAge: {
    name: "holdfast_source_age_seconds",
    type: "gauge",
    help: "Since when it is unknown whether what is served is what the API server says, by kind of object: time since its watch last brought a byte. Up to a minute and a half is normal; more means that it is cut off, and what was said last is served. Source kubernetes only.",
    labels: ["kind"],
  },
  watchEnds: {
    name: "holdfast_watch_ends_total",
    type: "counter",
    help: "Watches of the API server that ended, by kind of object and cause: done (the server's own end after some minutes, the normal case), expired, lost (cut, refused, answered with an error), silent (no byte for --watch-silence), rewound (the API server went back to an older state).",
    labels: ["kind", "cause"],
  },
  isLeader: {
    name: "holdfast_leader",
    type: "gauge",
    help: "1 while this replica holds the Lease object and writes statuses, else 0. Source kubernetes only.",
    labels: [],
  },
  statusWrites: {
    name: "holdfast_status_writes_total",
    type: "counter",
    help: "Writes of route statuses by this replica, by result: written, failed (tried again later).",
    labels: ["result"],
  },
  events: {
    name: "holdfast_events_total",
    type: "counter",
    help: "Kubernetes Events about routes by this replica, by result: sent, failed, dropped (held back by the rate limit).",
    labels: ["result"],
  },
  lastTableChange: {
    name: "holdfast_table_last_change_timestamp_seconds",
    type: "gauge",
    help: "When a change of the source last became live, as Unix time; its age is time() minus this.",
    labels: [],
  },
  controlRestarts: {
    name: "holdfast_control_thread_restarts_total",
    type: "counter",
    help: "Times the control thread ended unasked and was started again; meanwhile what was said last is served.",
    labels: [],
  },
  logLinesDropped: {
    name: "holdfast_log_lines_dropped_total",
    type: "counter",
    help: "Log lines lost because the reader of the log was too slow or gone, its disk full, or the way from the control thread too slow.",
    labels: [],
  },
  logLinesSuppressed: {
    name: "holdfast_log_lines_suppressed_total",
    type: "counter",
    help: "Log lines about refusals held back by their rate limit; the refusals themselves are all counted.",
    labels: [],
  },
  eventLoopDelay: {
    name: "holdfast_event_loop_delay_seconds",
    type: "gauge",
    help: "How late the data thread's event loop was since the last scrape, by statistic: p50, p99, max.",
    labels: ["stat"],
  },
} as const satisfies Record<string, MetricDefinition>;
