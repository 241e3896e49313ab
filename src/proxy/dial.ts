import { connect, type Socket } from "node:net";
import type { TimerWheel } from "../relay/index.ts";

/** A TCP connection to a backend, or why there is none; `timeout` = nothing answered at all. */
export type DialResult =
  | { readonly socket: Socket }
  | { readonly failure: "refused" | "timeout"; readonly reason: string };

export interface DialOptions {
  readonly wheel: TimerWheel;
  /** Milliseconds until the attempt is given up, above 0. */
  readonly timeoutMs: number;
}

/** TCP's own probes find a peer whose machine is gone, at no cost to the tunnel. */
const TCP_KEEPALIVE_MS = 60_000;

/**
 * Opens a connection; `done` is called once, unless the returned function has given the attempt up before. The socket
 * stays half-open when the backend ends its half, and its errors are listened to from the start.
 */
export function dial(
  target: { readonly address: string; readonly port: number },
  options: DialOptions,
  done: (result: DialResult) => void,
): () => void {
  const socket = connect({
    host: target.address,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
  });
  let isSettled = false;
  const settle = (): boolean => {
    if (isSettled) return false;
    isSettled = true;
    options.wheel.cancel(timer);
    return true;
  };
  const fail = (failure: "refused" | "timeout", reason: string): void => {
    if (!settle()) return;
    socket.destroy();
    done({ failure, reason });
  };
  const timer = options.wheel.schedule(options.timeoutMs, () => fail("timeout", "no answer in time"));
  // Stays for the life of the socket: whoever takes it over adds a listener of his own.
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const code = error.code ?? error.message;
    fail(code === "ETIMEDOUT" ? "timeout" : "refused", code);
  });
  socket.once("close", () => fail("refused", "closed"));
  socket.once("connect", () => {
    if (settle()) done({ socket });
  });
  return () => {
    if (settle()) socket.destroy();
  };
}
