/** SIGTERM: from an orchestrator. SIGINT: from a person at a terminal. */
export type EndSignal = "SIGTERM" | "SIGINT";

const END_SIGNALS: readonly EndSignal[] = ["SIGTERM", "SIGINT"];

/** The part of `process` that delivers signals. */
export interface SignalSource {
  on(signal: EndSignal, listener: (signal: EndSignal) => void): unknown;
  off(signal: EndSignal, listener: (signal: EndSignal) => void): unknown;
}

export interface EndSignals {
  /** Resolves with the first signal. */
  readonly first: Promise<EndSignal>;
  /** The first signal, once there was one. */
  readonly received: EndSignal | undefined;
  /** Aborted by the second signal: whoever sends it does not want to wait. */
  readonly second: AbortSignal;
  /** Signals have their usual effect again. */
  dispose(): void;
}

/** Listens for the signals that end the process; as PID 1 nothing else would happen on them. */
export function onEndSignals(source: SignalSource): EndSignals {
  const { promise, resolve } = Promise.withResolvers<EndSignal>();
  const second = new AbortController();
  let received: EndSignal | undefined;
  const onSignal = (signal: EndSignal): void => {
    if (received !== undefined) return second.abort();
    received = signal;
    resolve(signal);
  };
  for (const signal of END_SIGNALS) source.on(signal, onSignal);
  return {
    first: promise,
    get received() {
      return received;
    },
    second: second.signal,
    dispose: () => {
      for (const signal of END_SIGNALS) source.off(signal, onSignal);
    },
  };
}
