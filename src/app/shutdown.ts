import type { Log } from "../controller/index.ts";
import type { ProxyServer } from "../proxy/index.ts";
import type { Members } from "../relay/index.ts";
import type { ShutdownPlan } from "./config.ts";
import { closesDue, idlestFirst } from "./shutdown-schedule.ts";

/** How often it is looked whether something is due or done. */
const STEP_MS = 20;
/** After the deadline, tunnels that still wait for the end of a frame are hurried. */
const HURRY_AFTER_MS = 2_000;
/** After the deadline, how long closing handshakes may still take. */
const LAST_WORDS_MS = 4_000;

/** The part of a tunnel that its planned end needs. */
export interface ClosableTunnel {
  readonly lastActiveAtMs: number;
  close(cause: "proxy_shutdown"): void;
  hurry(): void;
}

/** What is to be shut down. */
interface Drainable {
  readonly tunnels: Pick<Members<ClosableTunnel>, "size"> & Iterable<ClosableTunnel>;
  /** Handshakes and plain requests that are being answered. */
  readonly openRequests: number;
  stopListening(): void;
}

/** A thread's tunnels and requests, for its planned end. */
export function drainOf(proxy: ProxyServer): Drainable {
  return {
    tunnels: proxy.tunnels,
    get openRequests() {
      return proxy.openRequests + proxy.pendingHandshakes;
    },
    stopListening: () => proxy.stopListening(),
  };
}

export interface ShutdownOptions {
  readonly plan: ShutdownPlan;
  readonly target: Drainable;
  readonly log: Log;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Aborted when someone will not wait any longer. */
  readonly cut: AbortSignal;
}

export interface ShutdownResult {
  /** Tunnels and requests that are left and have to be cut. */
  readonly leftTunnels: number;
  readonly leftRequests: number;
}

/**
 * The planned end: accept until the grace is over, stop listening, let tunnels go on until the deadline minus the
 * spread, then close them one after the other, idlest first. Resolves when nothing is left, when the last words after
 * the deadline are over, or at once when cut.
 */
export async function drain(options: ShutdownOptions): Promise<ShutdownResult> {
  const { plan, target, log, now } = options;
  const startedAtMs = now();
  const elapsed = (): number => now() - startedAtMs;
  log.info({ ...plan, tunnels: target.tunnels.size }, "shutdown begins");
  await until(options, () => elapsed() >= plan.graceMs);
  target.stopListening();
  log.info({ tunnels: target.tunnels.size, requests: target.openRequests }, "stopped listening");
  const spreadAtMs = plan.deadlineMs - plan.spreadMs;
  await until(options, () => isEmpty(target) || elapsed() >= spreadAtMs);
  if (!isEmpty(target)) await closeSpread(options, elapsed);
  await until(options, () => isEmpty(target) || elapsed() >= plan.deadlineMs + HURRY_AFTER_MS);
  // Whoever sends more than its peer takes has been told, but its answer lies behind what we do not read.
  if (!options.cut.aborted) for (const tunnel of target.tunnels) tunnel.hurry();
  await until(options, () => isEmpty(target) || elapsed() >= plan.deadlineMs + LAST_WORDS_MS);
  const left = { leftTunnels: target.tunnels.size, leftRequests: target.openRequests };
  if (isEmpty(target)) log.info({ afterMs: Math.round(elapsed()) }, "shutdown complete");
  else log.warn({ ...left, afterMs: Math.round(elapsed()) }, "shutdown cuts what is left");
  return left;
}

/** Closes those that are there, spread until the deadline, and at the deadline those that came meanwhile. */
async function closeSpread(options: ShutdownOptions, elapsed: () => number): Promise<void> {
  const { plan, target, log } = options;
  const startMs = elapsed();
  const spreadMs = Math.max(0, plan.deadlineMs - startMs);
  const queue = idlestFirst(target.tunnels);
  log.info({ tunnels: queue.length, spreadMs: Math.round(spreadMs) }, "closing tunnels");
  let next = 0;
  await until(options, () => {
    const due = closesDue(queue.length, elapsed() - startMs, spreadMs);
    for (; next < due; next++) queue[next]?.close("proxy_shutdown");
    return isEmpty(target) || elapsed() >= plan.deadlineMs;
  });
  if (options.cut.aborted) return;
  // Closing one twice does nothing.
  for (const tunnel of target.tunnels) tunnel.close("proxy_shutdown");
}

async function until({ cut, sleep }: ShutdownOptions, isDone: () => boolean): Promise<void> {
  while (!cut.aborted && !isDone()) await sleep(STEP_MS);
}

function isEmpty(target: Drainable): boolean {
  return target.tunnels.size === 0 && target.openRequests === 0;
}
