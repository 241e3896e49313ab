import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** Bytes in the process of the proxy for each idle tunnel. `arrayBuffers` is a part of `external`. */
export interface TunnelBytes {
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
}

const PATIENCE_MS = 60_000;

/**
 * Bytes per idle tunnel, as the slope between two counts of tunnels: what a process has once falls out. The proxy has a
 * process of its own; clients and backend share another. In it for each tunnel: two `net.Socket` with their handles'
 * wrappers, the client's and the tunnel's records in proxy, relay and upstream, its timer. Not in it: what the kernel
 * and libuv hold.
 */
export async function idleTunnelBytes(few: number, many: number): Promise<TunnelBytes> {
  const peers = fork(new URL("./idle-peers.ts", import.meta.url), { execArgv: [] });
  try {
    const backendPort = await answer<number>(peers);
    const proxy = fork(new URL("./idle-proxy.ts", import.meta.url), [String(backendPort)], {
      execArgv: ["--expose-gc"],
    });
    try {
      const port = await answer<number>(proxy);
      const memoryAt = async (count: number): Promise<TunnelBytes> => {
        const opened = await ask<number>(peers, { count, port });
        if (opened !== count) throw new Error(`${opened} tunnels instead of ${count}`);
        return ask<TunnelBytes>(proxy, { count });
      };
      const before = await memoryAt(few);
      const after = await memoryAt(many);
      const slope = (of: keyof TunnelBytes): number => (after[of] - before[of]) / (many - few);
      return { heapUsed: slope("heapUsed"), external: slope("external"), arrayBuffers: slope("arrayBuffers") };
    } finally {
      proxy.kill("SIGKILL");
    }
  } finally {
    peers.kill("SIGKILL");
  }
}

async function ask<Answer>(child: ChildProcess, question: object): Promise<Answer> {
  const pending = answer<Answer>(child);
  child.send(question);
  return pending;
}

async function answer<Answer>(child: ChildProcess): Promise<Answer> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new Error("no answer")), PATIENCE_MS);
  const died = once(child, "exit", { signal: patience.signal }).then(() => {
    throw new Error("a process of the idle tunnels ended");
  });
  try {
    const [message] = (await Promise.race([once(child, "message", { signal: patience.signal }), died])) as [Answer];
    return message;
  } finally {
    clearTimeout(timer);
    patience.abort();
    died.catch(() => {});
  }
}
