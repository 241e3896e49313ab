import type { RulePolicy } from "./types.ts";

/** For tests to which it does not matter, or that change one thing of it: deadlines of handshakes, all else off. */
export const QUIET_POLICY: RulePolicy = {
  plainHTTP: "Forward",
  handshakeMs: 10_000,
  responseHeadersMs: 60_000,
  requestMs: 0,
  idleMs: 0,
  lifetimeMs: 0,
  lifetimeJitterPercent: 0,
  pingMs: 0,
  backendPingMs: 0,
  pongTimeoutMs: 20_000,
  strictness: "Observe",
  maxMessageBytes: 0,
  maxFragments: 0,
  messagesPerSecond: 0,
  bytesPerSecond: 0,
  controlFramesPerSecond: 0,
  onLimit: "Close",
  drain: {
    onBackendRemoval: "Keep",
    onUnready: "Keep",
    onZeroWeight: "Keep",
    withinMs: 25_000,
    perSecond: 0,
    closeCode: 1012,
    closeReason: "",
  },
  // Whose turn it is can be foretold.
  balancing: { algorithm: "RoundRobin" },
};
