// Forked by idle-fleet.ts: a data path with its real rooms, whose memory and processor time are the only ones counted.
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { RuleAdmissions } from "../../src/admission/index.ts";
import { createDecider, ProxyServer } from "../../src/proxy/index.ts";
import { createTunnelRelay, TimerWheel } from "../../src/relay/index.ts";
import { TableHolder, upstreamKey } from "../../src/routing/index.ts";
import { UpstreamRegistry } from "../../src/upstream/index.ts";
import { entryOf } from "./entries.ts";
import { PingCounter, type Watch } from "./ping-counter.ts";

/** What its parent may ask; each has one answer. */
export type ProxyOrder =
  /** Memory, once there are so many tunnels. */
  | { readonly kind: "memory"; readonly tunnels: number }
  /** The rule as it shall be from now on, for live tunnels too. */
  | { readonly kind: "rule"; readonly pingMs: number }
  /** See `PingCounter.watch`; begins with the rule as it shall be from now on. */
  | ({ readonly kind: "watch"; readonly pingMs: number } & Watch);

/** Collections until nothing more comes free: what is freed may free more, and sockets need a turn to go. */
const COLLECTIONS = 8;

const pings = new PingCounter();
const tables = new TableHolder();
let version = 0;

function setRule(pingMs: number): void {
  version += 1;
  tables.stage(new Map([["app.example.com", [entryOf({ name: "app", policy: { pingMs } })]]]));
  tables.commit(version);
}

async function serve(backendPort: number): Promise<ProxyServer> {
  const { now } = pings;
  const wheel = new TimerWheel({ now });
  wheel.start();
  const registry = new UpstreamRegistry({ random: Math.random, now: () => performance.now() });
  const pseudonym = "holdfast-00000000";
  let ids = 0;
  const admissions = new RuleAdmissions({
    balancer: registry,
    wheel,
    now,
    random: Math.random,
    nextTurn: (callback) => void setImmediate(callback),
    drain: { isRefusing: false },
  });
  const server = new ProxyServer({
    admissions,
    decider: createDecider({ tables, pseudonym }),
    tables,
    balancer: registry,
    backends: registry,
    createRelay: (onEnd) => createTunnelRelay({ wheel, now, random: Math.random, observer: pings, onEnd }),
    wheel,
    now,
    wallNow: Date.now,
    pseudonym,
    randomId: () => `tunnel-${ids++}`,
    // The telemetry keeps nothing by tunnel.
    observer: {
      refused: () => {},
      triedAgain: () => {},
      forwarded: () => {},
      handshakeSucceeded: () => {},
      tunnelEnded: () => {},
    },
  });
  registry.setEndpoints(upstreamKey("apps", "app", 80), [
    { address: "127.0.0.1", port: backendPort, podUid: undefined, ready: true, serving: true, terminating: false },
  ]);
  return server;
}

async function memory(tunnels: number): Promise<object> {
  while (server.tunnels.size !== tunnels || server.pendingHandshakes > 0) await delay(10);
  for (let time = 0; time < COLLECTIONS; time++) {
    await setImmediate();
    global.gc?.();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { heapUsed, external, arrayBuffers };
}

async function answer(order: ProxyOrder): Promise<object> {
  if (order.kind === "memory") return memory(order.tunnels);
  if (order.kind === "watch") {
    const watched = await pings.watch(order, () => setRule(order.pingMs));
    return { ...watched, tunnels: server.tunnels.size };
  }
  setRule(order.pingMs);
  return {};
}

const [backendPort, pingMs] = process.argv.slice(2).map(Number);
const server = await serve(backendPort ?? 0);
setRule(pingMs ?? 0);
const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
process.on("message", (order: ProxyOrder) => {
  void answer(order).then((told) => process.send?.(told));
});
process.on("disconnect", () => process.exit());
process.send?.(port);
