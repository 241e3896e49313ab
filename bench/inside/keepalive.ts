import { readFileSync } from "node:fs";
import { IdleFleet } from "./idle-fleet.ts";
import type { Watch, Watched } from "./ping-counter.ts";

export interface KeepaliveCost {
  /** Of the proxy's processor time, for each Ping with its Pong and the timers around both. */
  readonly usPerPing: number;
  /** Of one core, when each tunnel is asked once in 30 s. */
  readonly percentOfCore: number;
}

/** What the proxy told of a time in which it was watched. */
export interface PingWindow extends Watched {
  /** Live at its end. */
  readonly tunnels: number;
}

/** The default of a rule: clients are asked after 27 to 30 s of silence. */
const PING_MS = 30_000;
const EARLIEST_PING_MS = 27_000;
/** Behind the beginning of the window. */
const FIRST_PING_MS = 200;
/** Tunnels are made so much older first: silent for too long, and TCP's own probes are on. */
const OLDER_MS = PING_MS + 1_000;
const SETTLE_MS = 500;
/** With keepalive off a tenth of the processor time is used: a shorter window is exact enough. */
const OFF_MS = 1_000;
/** Of one process, besides two for each tunnel. */
const OTHER_DESCRIPTORS = 100;

/**
 * What it costs to ask each of so many silent clients once: the proxy's processor time while that happens, less what
 * the same process takes in as long a time with keepalive off. Both are switched by committing the rule anew, as a user
 * does. A first round warms the code up and makes all clients silent since about the same time; the clock then leaps to
 * shortly before the next, which the tunnels' lots spread over three seconds.
 */
export async function keepaliveCost(tunnels: number): Promise<KeepaliveCost> {
  needDescriptors(2 * tunnels + OTHER_DESCRIPTORS);
  using fleet = await IdleFleet.start(0);
  await fleet.openUpTo(tunnels);
  const watch = async (pings: number, order: Watch & { readonly pingMs: number }): Promise<PingWindow> => {
    const window = await fleet.ask<PingWindow>({ kind: "watch", ...order });
    expectPings(window, pings, tunnels);
    return window;
  };
  await watch(0, { pingMs: 0, leapMs: OLDER_MS, answers: 0, leastMs: SETTLE_MS });
  const beganAtMs = performance.now();
  await watch(tunnels, { pingMs: PING_MS, leapMs: 0, answers: tunnels, leastMs: 0 });
  const leapMs = EARLIEST_PING_MS - FIRST_PING_MS - (performance.now() - beganAtMs);
  const on = await watch(tunnels, { pingMs: PING_MS, leapMs, answers: tunnels, leastMs: 0 });
  const off = await watch(0, { pingMs: 0, leapMs: 0, answers: 0, leastMs: OFF_MS });

  const usPerPing = (on.cpuUs - off.cpuUs * (on.ms / off.ms)) / tunnels;
  return { usPerPing, percentOfCore: ((usPerPing * tunnels) / (PING_MS * 1e3)) * 100 };
}

/** Throws unless so many Pings were sent, all were answered, and no tunnel has ended. */
export function expectPings({ sent, answered, tunnels }: PingWindow, pings: number, tunnelsBefore: number): void {
  if (tunnels !== tunnelsBefore) throw new Error(`${tunnels} of ${tunnelsBefore} tunnels are left`);
  if (sent !== pings) throw new Error(`${sent} Pings were sent instead of ${pings}`);
  if (answered !== sent) throw new Error(`${answered} of ${sent} Pings were answered`);
}

function needDescriptors(count: number): void {
  const [, limit] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  if (Number(limit) < count)
    throw new Error(`needs ${count} open files in a process; the limit is ${limit} (ulimit -n)`);
}
