import { connect, type Socket } from "node:net";
import type { TimerWheel } from "../relay/index.ts";
import type { ProxyErrorCode } from "./answers.ts";
import type { ForbiddenCheck } from "./forbidden-targets.ts";

/** `timeout` = nothing answered at all; `forbidden` = nobody was asked. */
export type DialFailure = "refused" | "timeout" | "forbidden";

/** A TCP connection to a backend, or why there is none. */
export type DialResult = { readonly socket: Socket } | { readonly failure: DialFailure; readonly reason: string };

/** What the client is told when a dial was the last one. */
export interface DialAnswer {
  readonly code: ProxyErrorCode;
  readonly detail: string;
}

export interface DialOptions {
  readonly wheel: TimerWheel;
  /** Milliseconds until the attempt is given up, above 0. */
  readonly timeoutMs: number;
  /** undefined = every target is allowed; to be said, so that no caller forgets it. */
  readonly isForbidden: ForbiddenCheck | undefined;
}

/**
 * Opens a connection, unless the target is forbidden; `done` is called once, later than this returns, unless the
 * returned function has given the attempt up before. The socket stays half-open when the backend ends its half, and its
 * errors are listened to from the start.
 */
export function dial(
  target: { readonly address: string; readonly port: number },
  options: DialOptions,
  done: (result: DialResult) => void,
): () => void {
  const forbidden = options.isForbidden?.(target.address, target.port);
  if (forbidden !== undefined) {
    const soon = setImmediate(() => done({ failure: "forbidden", reason: forbidden }));
    return () => clearImmediate(soon);
  }
  const socket = connect({
    host: target.address,
    port: target.port,
    allowHalfOpen: true,
    noDelay: true,
  });
  let isSettled = false;
  const settle = (): boolean => {
    if (isSettled) return false;
    isSettled = true;
    options.wheel.cancel(timer);
    // Nothing of a dial stays with the socket, which may live for days.
    socket.on("error", ignoreError).off("error", onError).off("close", onClose).off("connect", onConnect);
    return true;
  };
  const fail = (failure: "refused" | "timeout", reason: string): void => {
    if (!settle()) return;
    socket.destroy();
    done({ failure, reason });
  };
  const onError = (error: NodeJS.ErrnoException): void => {
    const code = error.code ?? error.message;
    fail(code === "ETIMEDOUT" ? "timeout" : "refused", code);
  };
  const onClose = (): void => fail("refused", "closed");
  const onConnect = (): void => {
    if (settle()) done({ socket });
  };
  const timer = options.wheel.schedule(options.timeoutMs, () => fail("timeout", "no answer in time"));
  socket.on("error", onError).on("close", onClose).on("connect", onConnect);
  return () => {
    if (settle()) socket.destroy();
  };
}

/** Stays for the life of the socket: whoever takes it over adds a listener of his own. */
function ignoreError(): void {}

/** The reason is for the client where it is about what was configured; what the system says is not. */
export function dialAnswer(failure: DialFailure, reason: string): DialAnswer {
  switch (failure) {
    case "refused":
      return { code: "HF_DIAL_REFUSED", detail: "" };
    case "timeout":
      return { code: "HF_DIAL_TIMEOUT", detail: "" };
    case "forbidden":
      return { code: "HF_FORBIDDEN_TARGET", detail: `the endpoint is ${reason}` };
    default:
      return failure satisfies never;
  }
}
