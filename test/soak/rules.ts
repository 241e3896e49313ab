import type { Manifest } from "../integration/fixtures/manifests.ts";

/** How a tunnel of a rule ends. */
export type Ending =
  | "client closes"
  | "backend closes"
  | "both close"
  | "client ends TCP"
  | "backend ends TCP"
  | "client breaks off"
  | "backend breaks off"
  | "breaks off inside a frame"
  | "nobody ends it"
  | "silence"
  | "long in answering"
  | "client is dead"
  | "backend is dead"
  | "violation"
  | "too big"
  | "too many fragments"
  | "too fast";

/** A rule of the route that the soak runs under, and what its tunnels do. */
export interface SoakRule {
  readonly name: string;
  readonly fields: Manifest;
  readonly endings: readonly Ending[];
  /** Which side is behind a process that is killed now and then. */
  readonly killed?: "client" | "backend";
  readonly keepalive?: { readonly ping: boolean; readonly backendPing: boolean; readonly boundMs: number };
  readonly idleMs?: number;
  readonly lifetime?: { readonly maxMs: number; readonly jitterPercent: number };
  readonly strictness?: "Observe" | "Enforce";
  readonly maxMessageBytes?: number;
  readonly maxFragments?: number;
  /** The client keeps below this, in messages and in control frames, until it breaks it on purpose. */
  readonly clientPacePerSecond?: number;
  /** Clients are held to this. */
  readonly clientBytesPerSecond?: number;
}

const COMMON: readonly Ending[] = [
  "client closes",
  "backend closes",
  "both close",
  "client ends TCP",
  "backend ends TCP",
  "client breaks off",
  "backend breaks off",
  "breaks off inside a frame",
];

export const SOAK_RULES: readonly SoakRule[] = [
  { name: "plain", fields: {}, endings: COMMON },
  { name: "killed-backend", fields: {}, endings: ["nobody ends it", "backend closes"], killed: "backend" },
  { name: "killed-client", fields: {}, endings: ["nobody ends it", "client closes"], killed: "client" },
  {
    name: "idle",
    fields: { timeouts: { idle: "2s" } },
    endings: ["silence", "client closes"],
    idleMs: 2_000,
  },
  {
    name: "lifetime",
    fields: { lifetime: { max: "4s", jitterPercent: 50 } },
    endings: ["nobody ends it"],
    lifetime: { maxMs: 4_000, jitterPercent: 50 },
  },
  {
    name: "keepalive",
    fields: { keepalive: { ping: "1s", timeout: "2s", backendPing: "1s" } },
    endings: [
      ...COMMON,
      "client is dead",
      "backend is dead",
      "client is dead",
      "backend is dead",
      "long in answering",
      "long in answering",
    ],
    keepalive: { ping: true, backendPing: true, boundMs: 3_000 },
  },
  {
    name: "idle-with-pings",
    fields: { keepalive: { ping: "1s", timeout: "2s" }, timeouts: { idle: "3s" } },
    endings: ["silence"],
    keepalive: { ping: true, backendPing: false, boundMs: 3_000 },
    idleMs: 3_000,
  },
  {
    name: "bounded",
    fields: { frames: { maxMessageBytes: 65_536, maxFragments: 8 } },
    endings: ["too big", "too many fragments", "too big", "too many fragments", "client closes", "backend closes"],
    maxMessageBytes: 65_536,
    maxFragments: 8,
  },
  {
    name: "rate-close",
    fields: { frames: { messagesPerSecond: 200, controlFramesPerSecond: 40, onLimit: "Close" } },
    endings: ["too fast", "too fast", "client closes"],
    clientPacePerSecond: 10,
  },
  {
    name: "rate-pause",
    fields: { frames: { bytesPerSecond: 2_097_152, onLimit: "Pause" } },
    endings: ["client closes", "backend closes", "backend ends TCP"],
    clientBytesPerSecond: 2_097_152,
  },
  {
    name: "enforce",
    fields: { frames: { strictness: "Enforce" } },
    endings: ["violation", "violation", ...COMMON],
    strictness: "Enforce",
  },
  {
    name: "observe",
    fields: { frames: { strictness: "Observe" } },
    endings: ["violation", "violation", "client closes"],
    strictness: "Observe",
  },
];
