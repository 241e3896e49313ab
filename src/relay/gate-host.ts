import type { SieveStop } from "./frame-sieve.ts";
import type { FrameTracker } from "./frame-tracker.ts";
import type { TimerWheel } from "./timer-wheel.ts";

/** Why a flow is stopped. */
export type FlowStop = SieveStop | "rate_limit";

/** Waits for the Pong to a Ping of ours. */
export interface PongWatch {
  /** Our Ping is not answered yet. */
  readonly isWaiting: boolean;
  /** True if this Pong answers a Ping of ours, and is for nobody else. @param payload Unmasked. */
  take(payload: Uint8Array): boolean;
}

interface Sink {
  write(frame: Uint8Array, onFlushed: (error?: Error | null) => void): boolean;
}

/** The flow that a gate stands in. */
export interface GateHost {
  readonly from: "client" | "backend";
  readonly wheel: TimerWheel;
  readonly tracker: FrameTracker;
  readonly sink: Sink;
  forward(chunk: Uint8Array): void;
  /** So many bytes of the source were for us. */
  swallowed(size: number): void;
  /** Stop and go on reading the source. */
  holdForRate(): void;
  goOnForRate(): void;
  /** So many bytes more wait for their time. */
  noteWaiting(addedBytes: number): void;
  /** What had waited for its time has gone on. */
  passedLater(): void;
  /** The policy forbids what comes next. Ends the flow, which closes this gate. */
  stopped(why: FlowStop): void;
}

/** Writes a frame of ours; `onFlushed` when it has left, never if it does not. */
export function writeOwn(sink: Sink, frame: Uint8Array, onFlushed: () => void): void {
  sink.write(frame, (error) => {
    if (error === undefined || error === null) onFlushed();
  });
}
