import type { DrainReason } from "../drain/index.ts";
import type { EndCause, FrameFault } from "../relay/index.ts";

/** What each cause of a tunnel's end means to whoever reads a metric or a log line. A new one does not compile without. */
export const END_CAUSES: Readonly<Record<EndCause, string>> = {
  client_close: "A Close frame of the client went through.",
  backend_close: "A Close frame of the backend went through.",
  client_lost: "The client ended its connection without a Close frame.",
  backend_lost: "The backend ended its connection without a Close frame.",
  client_dead: "The client was silent and gave no sign of life after a Ping (`keepalive.timeout`).",
  backend_dead: "The backend was silent and gave no sign of life after a Ping (`keepalive.timeout`).",
  idle: "Nothing came from either side for `timeouts.idle`.",
  lifetime: "The tunnel reached its age (`lifetime.max`).",
  protocol_error: "A side broke RFC 6455, and `frames.strictness` is Enforce.",
  message_too_big: "A message had more than `frames.maxMessageBytes`.",
  too_many_fragments: "A message had more than `frames.maxFragments`.",
  rate_limit: "The client sent more per second than a rate of `frames` allows, and `frames.onLimit` is Close.",
  buffers_full: "The buffers of all tunnels were full, and this one held most, or had not moved for long.",
  drained: "The rule's `drain` takes tunnels off that backend.",
  admin: "Closed by an operator's hand.",
  proxy_shutdown: "This proxy ended.",
  cut: "Cut without ceremony: a second SIGTERM.",
};

/** What a side may do against RFC 6455, with its section. */
export const FRAME_FAULTS: Readonly<Record<FrameFault, string>> = {
  reserved_bits: "A reserved bit that no negotiated extension owns (5.2).",
  reserved_opcode: "An opcode that nothing defines (5.2).",
  bad_control: "A control frame that is fragmented or has more than 125 bytes (5.5).",
  bad_mask: "A client's frame that is not masked, or a backend's that is (5.1).",
  bad_length: "A length that is not in its shortest form, or cannot be (5.2).",
  bad_continuation: "A continuation of nothing, or a new message inside a fragmented one (5.4).",
  bad_close: "A Close of one byte, with a code that must not be sent, or a reason that is not UTF-8 (5.5.1, 7.4).",
};

/** Why tunnels are taken off a backend, or off the process. */
export const DRAIN_REASONS: Readonly<Record<DrainReason, string>> = {
  terminating: "The backend is terminating (`drain.onBackendRemoval`).",
  vanished: "The backend was gone from its list for 5 s (`drain.onBackendRemoval`).",
  unready: "The backend was not ready for 5 s, while at least half of its upstream was (`drain.onUnready`).",
  unweighted: "The rule gives the upstream no share any more (`drain.onZeroWeight`).",
  operator: "An operator's order.",
  shutdown: "This proxy ends.",
};
