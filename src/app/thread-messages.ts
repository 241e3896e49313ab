import type { ControllerObserver } from "../controller/index.ts";
import type { CompiledEntry, Endpoint, UpstreamKey } from "../routing/index.ts";
import type { LogLevel } from "../telemetry/index.ts";

/** All that crosses between the two threads. Plain, cloneable data. */

/** One host of a part of a delta. */
export interface HostPart {
  readonly pattern: string;
  /** null: the host is gone. */
  readonly entries: readonly CompiledEntry[] | null;
  /** The list goes on in the next element of the same pattern. */
  readonly hasMore: boolean;
}

/** How old what is known of a kind of object may be. */
export interface Freshness {
  readonly kind: string;
  readonly atMs: number;
}

/** Counters that the control thread adds to. */
export type CountedMetric = "watchEnds" | "statusWrites" | "events";

interface LogRecord {
  readonly kind: "log";
  readonly level: LogLevel;
  readonly fields: object;
  readonly message: string;
}

/** What the control thread tells about itself. */
export type Report =
  | LogRecord
  | { readonly kind: "programmed"; readonly build: Parameters<ControllerObserver["programmed"]>[0] }
  /** Problems of the source that stand now. */
  | { readonly kind: "problems"; readonly count: number }
  /** When each kind of object was last known to be as the source has it, as Unix time in milliseconds. */
  | { readonly kind: "freshness"; readonly kinds: readonly Freshness[] }
  /** Whether this replica writes statuses. */
  | { readonly kind: "leader"; readonly isLeader: boolean }
  /** Something happened that is only counted. */
  | { readonly kind: "count"; readonly metric: CountedMetric; readonly labels: Readonly<Record<string, string>> }
  /** Log records that had no place while the data thread was busy. */
  | { readonly kind: "dropped"; readonly count: number };

/** Control to data. Each is answered by one `Ack` before the next one is sent. */
export type ControlMessage =
  /** A new control thread: what it says is all there is. Hosts and upstreams it never names go with its first commit. */
  | { readonly kind: "begin" }
  | { readonly kind: "endpoints"; readonly updates: readonly (readonly [UpstreamKey, readonly Endpoint[] | null])[] }
  | { readonly kind: "stage"; readonly hosts: readonly HostPart[] }
  | { readonly kind: "commit"; readonly generation: number }
  | { readonly kind: "reports"; readonly reports: readonly Report[] };

/** Data to control. */
export type DataMessage =
  | { readonly kind: "ack" }
  /** This process is going to end: whoever can take over its duties is to do so now. */
  | { readonly kind: "leaving" }
  | { readonly kind: "stop" };

/** The part of a MessagePort or a Worker that is used here. */
interface ThreadPort<In, Out> {
  postMessage(message: Out): void;
  on(event: "message", listener: (message: In) => void): unknown;
}

/** The control thread's end. */
export type ControlEnd = ThreadPort<DataMessage, ControlMessage>;
/** The data thread's end. */
export type DataEnd = ThreadPort<ControlMessage, DataMessage>;
