import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 10;

export interface LoopDelay {
  readonly p50Seconds: number;
  readonly p99Seconds: number;
  readonly maxSeconds: number;
}

/**
 * How late the event loop of this thread is. Node's histogram records the whole distance between two ticks of its
 * timer, so the resolution is taken off: a free loop shows about 0.
 */
export class LoopDelayMeter {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#histogram.enable();
  }

  /** The delays since the last call. */
  read(): LoopDelay {
    const histogram = this.#histogram;
    const delay: LoopDelay = {
      p50Seconds: lateness(histogram.percentile(50)),
      p99Seconds: lateness(histogram.percentile(99)),
      maxSeconds: lateness(histogram.max),
    };
    histogram.reset();
    return delay;
  }

  stop(): void {
    this.#histogram.disable();
  }
}

function lateness(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000;
}
