import type { Log } from "../controller/index.ts";
import type { OrderedDrains } from "../drain/index.ts";
import type { ProxyServer } from "../proxy/index.ts";
import type { Members } from "../relay/index.ts";
import type { ShutdownPlan } from "./config.ts";

/** How often it is looked whether something is due or done. */
const STEP_MS = 20;
/** How often it is said how far it is. */
const PROGRESS_MS = 1_000;
/** After the deadline, tunnels that still wait for the end of a frame are hurried. */
const HURRY_AFTER_MS = 2_000;
/** After the deadline, how long closing handshakes may still take. */
const LAST_WORDS_MS = 4_000;

/** What is to be shut down. */
export interface ShutdownTarget {
  readonly tunnels: Pick<Members<{ hurry(): void }>, "size"> & Iterable<{ hurry(): void }>;
  /** Handshakes and plain requests that are being answered. */
  readonly openRequests: number;
  /** So long ago someone began to drain the process already, and told whoever is in front. */
  readonly drainedForMs: number;
  /** Keeps no connection open behind an answer from now on. */
  leave(): void;
  stopListening(): void;
  /** Closes all tunnels, those that open yet included, spread over that time. */
  closeAll(withinMs: number): void;
}

/** A thread's tunnels and requests, for its planned end. */
export function shutdownTarget(proxy: ProxyServer, drains: OrderedDrains): ShutdownTarget {
  return {
    tunnels: proxy.tunnels,
    get openRequests() {
      return proxy.openRequests + proxy.pendingHandshakes;
    },
    get drainedForMs() {
      return drains.processDrainedForMs ?? 0;
    },
    leave: () => proxy.leave(),
    stopListening: () => proxy.stopListening(),
    closeAll: (withinMs) => drains.shutDown(withinMs),
  };
}

export interface ShutdownOptions {
  readonly plan: ShutdownPlan;
  readonly target: ShutdownTarget;
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
 * The planned end: accept until the grace is over, stop listening, close the tunnels one after the other until the
 * deadline. Resolves when nothing is left, when the last words after the deadline are over, or at once when cut.
 */
export async function shutDown(options: ShutdownOptions): Promise<ShutdownResult> {
  const { plan, target, log, now } = options;
  const startedAtMs = now();
  const elapsed = (): number => now() - startedAtMs;
  const graceMs = Math.max(0, plan.graceMs - target.drainedForMs);
  log.info({ ...plan, graceMs, tunnels: target.tunnels.size }, "shutdown begins");
  target.leave();
  await until(options, () => elapsed() >= graceMs);
  target.stopListening();
  log.info({ tunnels: target.tunnels.size, requests: target.openRequests }, "stopped listening");
  if (!isEmpty(target) && !options.cut.aborted) await closeAll(options, elapsed);
  const left = { leftTunnels: target.tunnels.size, leftRequests: target.openRequests };
  if (isEmpty(target)) log.info({ afterMs: Math.round(elapsed()) }, "shutdown complete");
  else log.warn({ ...left, afterMs: Math.round(elapsed()) }, "shutdown cuts what is left");
  return left;
}

async function closeAll(options: ShutdownOptions, elapsed: () => number): Promise<void> {
  const { plan, target, log } = options;
  const spreadMs = Math.max(0, plan.deadlineMs - elapsed());
  log.info({ tunnels: target.tunnels.size, spreadMs: Math.round(spreadMs) }, "closing tunnels");
  target.closeAll(spreadMs);
  let saidAtMs = elapsed();
  const isOver = (byMs: number) => (): boolean => {
    if (elapsed() - saidAtMs >= PROGRESS_MS) {
      saidAtMs += PROGRESS_MS;
      log.info({ left: target.tunnels.size, requests: target.openRequests }, "closing tunnels");
    }
    return isEmpty(target) || elapsed() >= byMs;
  };
  await until(options, isOver(plan.deadlineMs + HURRY_AFTER_MS));
  // Whoever sends more than its peer takes has been told, but its answer lies behind what we do not read.
  if (!options.cut.aborted) for (const tunnel of target.tunnels) tunnel.hurry();
  await until(options, isOver(plan.deadlineMs + LAST_WORDS_MS));
}

async function until({ cut, sleep }: ShutdownOptions, isDone: () => boolean): Promise<void> {
  while (!cut.aborted && !isDone()) await sleep(STEP_MS);
}

function isEmpty(target: ShutdownTarget): boolean {
  return target.tunnels.size === 0 && target.openRequests === 0;
}
