import { IdleFleet } from "./idle-fleet.ts";

/** Bytes in the process of the proxy for each idle tunnel. `arrayBuffers` is a part of `external`. */
export interface TunnelBytes {
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

export interface IdleBytes {
  /** Under the defaults of a rule. */
  readonly byDefault: TunnelBytes;
  /** Where clients are not asked whether they are there. */
  readonly withoutKeepalive: TunnelBytes;
}

/** The default of a rule. Nobody is asked before the counts are taken. */
const PING_MS = 30_000;
/** Of the tunnels that are measured with keepalive, so many more are opened without. */
const SHARE_WITHOUT = 0.5;

/**
 * Bytes per idle tunnel, as the slope between two counts of tunnels: what a process has once falls out. The proxy has a
 * process of its own; clients and backend share another. In it for each tunnel: two `net.Socket` with their handles'
 * wrappers, the client's and the tunnel's records in proxy, relay and upstream, its timers. Not in it: what the kernel
 * and libuv hold.
 */
export async function idleTunnelBytes(few: number, many: number): Promise<IdleBytes> {
  using fleet = await IdleFleet.start(PING_MS);
  const memoryAt = async (count: number): Promise<TunnelBytes> => {
    await fleet.openUpTo(count);
    return fleet.ask<TunnelBytes>({ kind: "memory", tunnels: count });
  };
  const before = await memoryAt(few);
  const after = await memoryAt(many);
  await fleet.ask({ kind: "rule", pingMs: 0 });
  const most = many + Math.round((many - few) * SHARE_WITHOUT);
  // Once more: the tunnels that are open have lost a timer.
  const without = [await memoryAt(many), await memoryAt(most)] as const;
  return {
    byDefault: slope(before, after, many - few),
    withoutKeepalive: slope(without[0], without[1], most - many),
  };
}

function slope(before: TunnelBytes, after: TunnelBytes, tunnels: number): TunnelBytes {
  const of = (kind: keyof TunnelBytes): number => (after[kind] - before[kind]) / tunnels;
  return { heapUsed: of("heapUsed"), external: of("external"), arrayBuffers: of("arrayBuffers") };
}
