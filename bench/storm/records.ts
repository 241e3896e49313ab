import type { Line } from "./load-process.ts";

/** What `load storm` says at its end. Times are milliseconds since `originMs`, which is of the Unix clock. */
export interface StormRecord extends Line {
  readonly originMs: number;
  readonly clients: readonly ClientRecord[];
  readonly refusals: readonly Refusal[];
  /** Tries that were not answered, or not as HTTP. */
  readonly failures: readonly { readonly atMs: number; readonly words: string }[];
  /** Tunnels lost in the storm, by the Close code that the client got; `none` without a Close. */
  readonly closes: Readonly<Record<string, number>>;
  /** Tunnels lost by clients that had come back. */
  readonly lostAgain: number;
}

interface ClientRecord {
  readonly lostMs: number | null;
  /** Its first 101 after the loss. */
  readonly backMs: number | null;
  /** A message went there and back over the new tunnel. */
  readonly isProved: boolean;
  /** Since the loss, the one that succeeded included. */
  readonly tries: number;
}

/** An answer that was not 101. */
interface Refusal {
  readonly atMs: number;
  readonly status: number;
  /** Of the header `holdfast-error`; empty when a backend said no. */
  readonly code: string;
  /** Seconds; null without one. */
  readonly retryAfter: number | null;
}

/** What `load steady` says at its end: message `i` was due at `startMs + i * everyUs / 1000` of the Unix clock. */
export interface SteadyRecord extends Line {
  readonly startMs: number;
  readonly everyUs: number;
  readonly tunnels: number;
  /** Tunnels that ended. */
  readonly ended: number;
  readonly firstError?: string;
  /** By message, from when it was due; -1 when it did not come back. */
  readonly latenciesUs: readonly number[];
}

/** What the proxy was like, from its metrics and from the kernel. */
export interface ProxyRecord {
  /** Event-loop delay of the data thread in milliseconds, in the window before the loss and from it to the end. */
  readonly loopDelayMs: { readonly quiet: LoopDelay; readonly storm: LoopDelay };
  /** Bytes. `peakResident` is the most between the loss and the end, shared pages in full. */
  readonly memory: { readonly pssBefore: number; readonly pssAfter: number; readonly peakResident: number };
  /** Time on a processor, all threads, from the loss until the last was back. */
  readonly cpuSeconds: number;
}

export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** One storm as it was recorded. Times are of the Unix clock, in milliseconds. */
export interface StormRun {
  /** Handshakes per second that the rule admits; undefined = no limit. */
  readonly rate: number | undefined;
  readonly quietFromMs: number;
  /** When the backend was killed. */
  readonly killedMs: number;
  readonly storm: StormRecord;
  readonly steady: SteadyRecord;
  readonly proxy: ProxyRecord;
  /** Of all processors in the quiet window, whoever used them. */
  readonly busyPercent: number;
}
