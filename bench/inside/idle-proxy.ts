// Forked by idle-tunnels.ts with --expose-gc: a data path with its real rooms, whose memory is the only one counted.
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { createDecider, ProxyServer } from "../../src/proxy/index.ts";
import { createTunnelRelay, TimerWheel } from "../../src/relay/index.ts";
import { TableHolder, upstreamKey } from "../../src/routing/index.ts";
import { UpstreamRegistry } from "../../src/upstream/index.ts";
import { entryOf } from "./entries.ts";

/** Collections until nothing more comes free: what is freed may free more, and sockets need a turn to go. */
const COLLECTIONS = 8;

async function serve(backendPort: number): Promise<ProxyServer> {
  const now = (): number => performance.now();
  const wheel = new TimerWheel({ now });
  wheel.start();
  const registry = new UpstreamRegistry({ random: Math.random });
  const tables = new TableHolder();
  const pseudonym = "holdfast-00000000";
  let ids = 0;
  const server = new ProxyServer({
    decider: createDecider({ tables, pseudonym }),
    tables,
    balancer: registry,
    backends: registry,
    createRelay: (onEnd) => createTunnelRelay({ wheel, now, random: Math.random, onEnd }),
    wheel,
    now,
    wallNow: Date.now,
    pseudonym,
    randomId: () => `tunnel-${ids++}`,
    // The telemetry keeps nothing by tunnel.
    observer: { refused: () => {}, forwarded: () => {}, handshakeSucceeded: () => {}, tunnelEnded: () => {} },
  });
  registry.setEndpoints(upstreamKey("apps", "app", 80), [
    { address: "127.0.0.1", port: backendPort, podUid: undefined, ready: true, serving: true, terminating: false },
  ]);
  tables.stage(new Map([["app.example.com", [entryOf({ name: "app" })]]]));
  tables.commit(1);
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  process.send?.(port);
  return server;
}

async function tellMemory(server: ProxyServer, tunnels: number): Promise<void> {
  while (server.tunnels.size !== tunnels || server.pendingHandshakes > 0) await delay(10);
  for (let time = 0; time < COLLECTIONS; time++) {
    await setImmediate();
    global.gc?.();
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  process.send?.({ heapUsed, external, arrayBuffers });
}

const server = await serve(Number(process.argv[2]));
process.on("message", ({ count }: { readonly count: number }) => {
  void tellMemory(server, count);
});
process.on("disconnect", () => process.exit());
