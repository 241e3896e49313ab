import { createServer, type RequestListener, type Server } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from "node:net";
import { RuleAdmissions, type WaitingCount } from "../admission/index.ts";
import { createTunnelRelay, type TunnelEnd, TimerWheel } from "../relay/index.ts";
import {
  type CompiledEntry,
  type CompiledMatch,
  type CompiledRule,
  type RulePolicy,
  ruleId,
  TableHolder,
  upstreamKey,
} from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import { type AffinityKeys, UpstreamRegistry } from "../upstream/index.ts";
import { type Bounds, UNBOUNDED } from "./bounds.ts";
import type { ProxyLimits } from "./data-path.ts";
import { createDecider } from "./decide.ts";
import type { ForbiddenCheck } from "./forbidden-targets.ts";
import { ProxyServer } from "./server.ts";
import type { ProxyObserver, TunnelContext } from "./types.ts";

const CHAT = upstreamKey("apps", "chat", 80);

/** Everything that was opened, ended in reverse order; `await using` it, or end it in `afterEach`. */
export class Cleanups implements AsyncDisposable {
  readonly #ends: (() => Promise<void> | void)[] = [];

  add(end: () => Promise<void> | void): void {
    this.#ends.push(end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}

export interface RuleOptions {
  readonly name?: string;
  readonly match?: Partial<CompiledMatch>;
  readonly policy?: Partial<RulePolicy>;
  readonly rule?: Partial<CompiledRule>;
}

/** An entry that sends everything below `/` to CHAT, unless told otherwise. */
export function entry(options: RuleOptions = {}): CompiledEntry {
  const name = options.name ?? "app";
  return {
    match: {
      path: { type: "PathPrefix", value: "/" },
      headers: [],
      queryParams: [],
      subprotocols: [],
      ...options.match,
    },
    rule: {
      id: ruleId("apps/chat", name),
      route: "apps/chat",
      rule: name,
      backends: [{ upstream: CHAT, weight: 1 }],
      rewrite: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      ...options.rule,
      policy: { ...QUIET_POLICY, ...options.policy },
    },
  };
}

export interface ProxyOptions {
  readonly entries?: readonly CompiledEntry[];
  /** Ports on 127.0.0.1, all behind CHAT; with a host where it is not that. */
  readonly backends?: readonly (number | { readonly address: string; readonly port: number })[];
  readonly limits?: Partial<ProxyLimits>;
  readonly isForbidden?: ForbiddenCheck;
  readonly affinityKeys?: () => AffinityKeys | undefined;
  readonly bounds?: Bounds;
  /** Of admissions; not given = real chance. */
  readonly random?: () => number;
}

interface Seen {
  readonly refused: Parameters<ProxyObserver["refused"]>[0][];
  readonly triedAgain: Parameters<ProxyObserver["triedAgain"]>[0][];
  readonly forwarded: Parameters<ProxyObserver["forwarded"]>[0][];
  readonly opened: TunnelContext[];
  readonly ended: { readonly context: TunnelContext; readonly end: TunnelEnd }[];
}

export interface StartedProxy {
  readonly port: number;
  readonly server: ProxyServer;
  readonly seen: Seen;
  setEntries(entries: readonly CompiledEntry[]): void;
  setBackends(backends: NonNullable<ProxyOptions["backends"]>): void;
  /** Leases of CHAT: [pending, tunnels]. */
  leases(): readonly [pending: number, tunnels: number];
  /** Handshakes that wait for their rules. */
  waiting(): readonly WaitingCount[];
  /** Rules of which admissions keep something. */
  keptRules(): number;
  /** Why CHAT's backends are passed over, by port; those that are not are left out. */
  out(): Readonly<Record<number, string>>;
}

/** A whole data path on a port of its own, with the real rooms behind it. */
export async function startProxy(cleanups: Cleanups, options: ProxyOptions = {}): Promise<StartedProxy> {
  const now = (): number => performance.now();
  const wheel = new TimerWheel({ now, tickMs: 10 });
  wheel.start();
  const registry = new UpstreamRegistry({
    random: () => 0,
    now,
    ...(options.affinityKeys !== undefined && { affinityKeys: options.affinityKeys }),
  });
  const tables = new TableHolder();
  const seen: Seen = { refused: [], triedAgain: [], forwarded: [], opened: [], ended: [] };
  const pseudonym = "holdfast-00000000";
  let ids = 0;
  let generation = 0;
  const bounds = options.bounds ?? UNBOUNDED;
  const { drain } = bounds;
  const { random = Math.random } = options;
  const admissions = new RuleAdmissions({ balancer: registry, wheel, now, random, nextTurn: setImmediate, drain });
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
    randomId: () => `t${ids++}`,
    observer: {
      refused: (refusal) => void seen.refused.push(refusal),
      triedAgain: (further) => void seen.triedAgain.push(further),
      forwarded: (forwarded) => void seen.forwarded.push(forwarded),
      handshakeSucceeded: (context) => void seen.opened.push(context),
      tunnelEnded: (context, end) => void seen.ended.push({ context, end }),
    },
    limits: { lingerMs: 200, ...options.limits },
    ...(options.isForbidden !== undefined && { isForbidden: options.isForbidden }),
    bounds,
    admissions,
  });
  const setBackends: StartedProxy["setBackends"] = (backends) => {
    const addresses = backends.map((at) => (typeof at === "number" ? { address: "127.0.0.1", port: at } : at));
    registry.setEndpoints(
      CHAT,
      addresses.map((at) => ({ ...at, podUid: undefined, ready: true, serving: true, terminating: false })),
    );
  };
  const setEntries: StartedProxy["setEntries"] = (entries) => {
    tables.stage(new Map([["*", entries]]));
    tables.commit(++generation);
  };
  setBackends(options.backends ?? []);
  setEntries(options.entries ?? [entry()]);
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  cleanups.add(async () => {
    await server.close();
    wheel.stop();
  });
  const leases = (): readonly [number, number] => {
    const stats = [...registry.stats()].find((one) => one.upstream === CHAT);
    return [stats?.pending ?? 0, stats?.tunnels ?? 0];
  };
  const waiting = (): readonly WaitingCount[] => [...admissions.waiting()];
  const out = (): Readonly<Record<number, string>> =>
    Object.fromEntries(
      [...registry.backends()].flatMap((facts) => (facts.out ? [[facts.backend.port, facts.out.why]] : [])),
    );
  return { port, server, seen, setEntries, setBackends, leases, waiting, keptRules: () => admissions.size, out };
}

/** A backend that answers every handshake with these bytes, as soon as its head is there, and then sends back what it gets. */
export async function startAnswering(cleanups: Cleanups, answer: string, heads: string[] = []): Promise<number> {
  return startTcp(cleanups, (socket) => {
    let text = "";
    let hasAnswered = false;
    socket.on("end", () => socket.end());
    socket.on("data", (chunk) => {
      if (hasAnswered) return void socket.write(chunk);
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      hasAnswered = true;
      heads.push(text);
      socket.write(answer, "latin1");
    });
  });
}

/** A plain HTTP backend. */
export async function startHttp(
  cleanups: Cleanups,
  listener: RequestListener,
): Promise<{ port: number; server: Server }> {
  const server = createServer(listener);
  const port = await listenOn(server);
  cleanups.add(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port, server };
}

/** A backend of bare bytes: each connection goes to `serve` once it is there. */
export async function startTcp(cleanups: Cleanups, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(socket);
  });
  const port = await listenOn(server);
  cleanups.add(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return port;
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listenOn(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listenOn(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

export interface RawClient {
  readonly socket: Socket;
  /** What came so far, a character per byte. */
  readonly text: () => string;
  /** How it ended: `fin`, an error's code, or not yet. */
  readonly end: () => string | undefined;
  /** Everything up to the end. */
  readonly whole: Promise<string>;
  send(bytes: string | Uint8Array): void;
}

/** A client that writes bytes, not requests. */
export function rawClient(cleanups: Cleanups, port: number, first = ""): RawClient {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  let end: string | undefined;
  const whole = new Promise<string>((resolve) => {
    socket.on("close", () => resolve(text));
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    end ??= error.code ?? error.message;
  });
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("end", () => {
    end ??= "fin";
    socket.end();
  });
  cleanups.add(() => void socket.destroy());
  const send = (bytes: string | Uint8Array): void =>
    void socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  if (first !== "") send(first);
  return { socket, text: () => text, end: () => end, whole, send };
}

/** Writes so many bytes one chunk after the other; says how many the kernel has taken. */
export function pour(socket: Socket, bytes: number): () => number {
  const chunk = Buffer.alloc(64 * 1024, "a");
  let taken = 0;
  const next = (error?: Error | null): void => {
    if (error) return;
    taken += chunk.length;
    if (taken < bytes) socket.write(chunk, next);
  };
  socket.write(chunk, next);
  return () => taken;
}

/** True once the number is above 0 and what it was at the call before: to be polled until something has come to rest. */
export function atRest(current: () => number): () => boolean {
  let last = -1;
  return () => {
    const now = current();
    const isAtRest = now > 0 && now === last;
    last = now;
    return isAtRest;
  };
}

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** The answer to KEY (RFC 6455 1.3). */
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** The head of a handshake; `extra` are whole lines. */
export function handshakeHead(extra: readonly string[] = []): string {
  const lines = [
    "GET /chat HTTP/1.1",
    "Host: a.example",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
    ...extra,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A backend's 101 to KEY; `extra` are whole lines. */
export function switchHead(extra: readonly string[] = [], accept = ACCEPT): string {
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    ...extra,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A short text frame, unmasked as a backend sends it, or masked with zeros as a client may. */
export function textFrame(text: string, from: "client" | "backend"): string {
  const head = from === "client" ? [0x81, 0x80 | text.length, 0, 0, 0, 0] : [0x81, text.length];
  return String.fromCharCode(...head) + text;
}
