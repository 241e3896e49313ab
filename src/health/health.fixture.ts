import { once } from "node:events";
import { createServer as createHttp, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { TimerWheel } from "../relay/index.ts";
import type { ActiveHealth } from "../routing/index.ts";
import { probe, type TargetCheck } from "./probe.ts";
import type { ProbeAnswer } from "./types.ts";

/** Closes what a test has opened, the last first. */
export class Cleanups {
  readonly #all: (() => Promise<unknown> | void)[] = [];

  add(cleanup: () => Promise<unknown> | void): void {
    this.#all.push(cleanup);
  }

  async run(): Promise<void> {
    for (const cleanup of this.#all.splice(0).toReversed()) await cleanup();
  }
}

/** A backend with all its connections, those that have ended included. */
export interface StartedBackend {
  readonly port: number;
  readonly sockets: readonly Socket[];
}

async function started(cleanups: Cleanups, server: Server): Promise<StartedBackend> {
  const sockets: Socket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.add(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    return once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

export function startTcp(cleanups: Cleanups, onConnection: (socket: Socket) => void): Promise<StartedBackend> {
  return started(cleanups, createServer(onConnection));
}

export function startHttp(cleanups: Cleanups, onRequest: RequestListener): Promise<StartedBackend> {
  return started(cleanups, createHttp(onRequest));
}

/** Says this to whoever has sent a head, and no more. */
export function startSaying(cleanups: Cleanups, text: string | Buffer): Promise<StartedBackend> {
  return startTcp(cleanups, (socket) => void socket.once("data", () => socket.write(text)));
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A wheel that turns by itself; a short tick, since these tests wait for it. */
export function startWheel(cleanups: Cleanups): TimerWheel {
  const wheel = new TimerWheel({ now: () => performance.now(), tickMs: 5 });
  wheel.start();
  cleanups.add(() => wheel.stop());
  return wheel;
}

/** The key is as graph/ makes it: other words, another key. */
export function asking(change: Partial<ActiveHealth> = {}): ActiveHealth {
  const active = {
    type: "TCP" as const,
    path: "/",
    host: undefined,
    port: 0,
    intervalMs: 10_000,
    timeoutMs: 2_000,
    unhealthyAfter: 3,
    healthyAfter: 2,
    ...change,
  };
  return { ...active, key: JSON.stringify(active) };
}

/** One probe of a port here, to its end. */
export function ask(
  port: number,
  change: Partial<ActiveHealth>,
  { wheel, isForbidden }: { readonly wheel: TimerWheel; readonly isForbidden?: TargetCheck },
): Promise<ProbeAnswer> {
  const surroundings = { wheel, random: Math.random, isForbidden };
  return new Promise((resolve) => {
    probe({ address: "127.0.0.1", port }, asking(change), surroundings, resolve);
  });
}
