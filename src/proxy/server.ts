import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import type { Relay, Tunnel, TunnelEndListener, TimerWheel } from "../relay/index.ts";
import type { CommitListener, RuleId } from "../routing/index.ts";
import type { Backend, Balancer, Lease } from "../upstream/index.ts";
import { answerHeaders, type ProxyErrorCode } from "./answers.ts";
import { BackendPools } from "./backend-pools.ts";
import { ClientConnection, headFault, parserFault, type Turn } from "./connections.ts";
import { type DataPath, DEFAULT_LIMITS, type ProxyLimits, tellRefused } from "./data-path.ts";
import type { ForbiddenCheck, OwnListener } from "./forbidden-targets.ts";
import { asksForWebSocket } from "./handshake-request.ts";
import { LiveRules } from "./live-rules.ts";
import { PlainExchange } from "./plain-http.ts";
import { refuseSocket } from "./refuse.ts";
import type { Decider, ProxyObserver, TunnelContext } from "./types.ts";
import { type OpenedTunnel, UpgradeHandshake, type UpgradeSurroundings } from "./upgrade.ts";

/** Node looks for connections past their header timeout this often. */
const CHECK_INTERVAL_MS = 500;
/** For answers that last; a tunnel's sockets are the relay's to care for. */
const TCP_KEEPALIVE_MS = 60_000;

/** Clients that come at once, after a failover, wait in the kernel and not for a second SYN; `somaxconn` may bound it. */
const BACKLOG = 4096;

export interface ListenPlace {
  readonly host: string;
  readonly port: number;
  /** `port`: other listeners of this user may share the port, and the kernel spreads connections over them (Linux). */
  readonly sharing?: "port";
}

export interface ProxyServerOptions {
  readonly decider: Decider;
  /** Live tunnels follow what its commits change. */
  readonly tables: { onCommit(listener: CommitListener): void };
  readonly balancer: Balancer;
  /** Tells which backends are gone, so that kept connections to them are closed. */
  readonly backends: { onForgotten(listener: (backend: Backend) => void): void };
  readonly createRelay: (onEnd: TunnelEndListener<TunnelContext>) => Relay<TunnelContext>;
  /** Started by whoever made it. */
  readonly wheel: TimerWheel;
  readonly observer: ProxyObserver;
  /** A monotonic clock in milliseconds, the wheel's. */
  readonly now: () => number;
  /** The time of day, in milliseconds since 1970. */
  readonly wallNow: () => number;
  /** A short id for a tunnel. */
  readonly randomId: () => string;
  /** This instance's name in Via, the same that the decider knows. */
  readonly pseudonym: string;
  readonly limits?: Partial<ProxyLimits>;
  /** Which targets are refused at dial, whoever named them; not given = none, as in front of a folder. */
  readonly isForbidden?: ForbiddenCheck;
}

/** One HTTP/1.1 listener with all that goes on behind it: plain requests, handshakes and tunnels. */
export class ProxyServer {
  readonly #path: DataPath;
  readonly #pools: BackendPools;
  readonly #relay: Relay<TunnelContext>;
  readonly #liveRules = new LiveRules();
  readonly #http: Server;
  readonly #randomId: () => string;
  /** Those that HTTP is spoken on, and every other client's socket as well: a handshake's, a tunnel's. */
  readonly #connections = new Map<Socket, ClientConnection>();
  readonly #handshakes = new Set<UpgradeHandshake>();
  /** What all handshakes share. */
  readonly #surroundings: UpgradeSurroundings;
  readonly #holds = new Map<TunnelContext, { readonly lease: Lease; readonly rule: RuleId }>();
  #openRequests = 0;
  #isStopping = false;
  /** Told when the last tunnel has ended. */
  #onLastTunnel: () => void = () => {};

  constructor(options: ProxyServerOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { decider, balancer, wheel, observer, now, wallNow, pseudonym, isForbidden } = options;
    this.#path = { decider, balancer, wheel, observer, now, wallNow, pseudonym, limits, isForbidden };
    this.#randomId = options.randomId;
    this.#surroundings = {
      path: this.#path,
      liveRules: this.#liveRules,
      onOpened: (opened) => this.#join(opened),
      onDone: (done) => this.#handshakes.delete(done),
    };
    const { connectTimeoutMs, maxHeadBytes } = limits;
    this.#pools = new BackendPools({ wheel, now, connectTimeoutMs, isForbidden, maxHeadBytes });
    this.#relay = options.createRelay((tunnel, end) => {
      this.#giveBack(tunnel.context);
      observer.tunnelEnded(tunnel.context, end);
    });
    options.tables.onCommit((changed) => {
      if (this.#liveRules.follow(changed)) this.#relay.policiesChanged();
    });
    options.backends.onForgotten((backend) => this.#pools.forget(backend.id));
    this.#http = this.#createHttp(limits);
  }

  /** Client connections, tunnels included. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Plain requests being answered. */
  get openRequests(): number {
    return this.#openRequests;
  }

  /** Handshakes without their final answer. */
  get pendingHandshakes(): number {
    return this.#handshakes.size;
  }

  /** For whoever paces their end. */
  get tunnels(): ReadonlySet<Tunnel<TunnelContext>> {
    return this.#relay.tunnels;
  }

  /** What it listens on at the moment. */
  get listeners(): readonly OwnListener[] {
    const bound = this.#http.address();
    return bound === null || typeof bound === "string" ? [] : [{ address: bound.address, port: bound.port }];
  }

  /** Port 0 takes a free one. Rejects when the address cannot be had. */
  async listen(at: ListenPlace): Promise<OwnListener> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", reject);
      const { host, port, sharing } = at;
      this.#http.listen({ host, port, backlog: BACKLOG, reusePort: sharing === "port" }, () => {
        this.#http.off("error", reject);
        resolve();
      });
    });
    // One connection that could not be accepted is no reason to stop accepting.
    this.#http.on("error", () => {});
    const { address, port } = this.#http.address() as AddressInfo;
    return { address, port };
  }

  /**
   * Accepts no more connections. Requests and handshakes on those that are there are served, and each such connection
   * ends with its next answer; idle ones end now. Tunnels go on.
   */
  stopListening(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    // Not http's own close(): it would also stop looking for connections that never send their head.
    if (this.#http.listening) NetServer.prototype.close.call(this.#http);
    this.#http.closeIdleConnections();
  }

  /** Ends everything at once: cuts tunnels, drops requests. Resolves when every socket is closed. */
  async close(): Promise<void> {
    this.stopListening();
    const tunnelsEnded = new Promise<void>((resolve) => {
      if (this.#holds.size === 0) resolve();
      else this.#onLastTunnel = resolve;
    });
    for (const tunnel of this.#relay.tunnels) tunnel.cut();
    const closed = [...this.#connections.keys()].map((socket) => {
      return new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      });
    });
    await Promise.all([tunnelsEnded, ...closed]);
    await this.#pools.destroy();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  #createHttp(limits: ProxyLimits): Server {
    const http = createServer({
      // Ours to answer, with a code and a log line.
      requireHostHeader: false,
      maxHeaderSize: limits.maxHeadBytes,
      headersTimeout: limits.headerTimeoutMs,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headerTimeoutMs),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      joinDuplicateHeaders: false,
      insecureHTTPParser: false,
      noDelay: true,
      shouldUpgradeCallback: isWebSocketUpgrade,
    });
    // Node would drop what is beyond its own limit in silence; bytes and `maxHeaders` bound them instead.
    http.maxHeadersCount = 0;
    http.on("connection", (socket: Socket) => this.#onConnection(socket));
    http.on("request", (request, response) => this.#onRequest(request, response, false));
    http.on("checkContinue", (request, response) => this.#onRequest(request, response, true));
    // RFC 9110 10.1.1 lets a server ignore expectations it does not know; the field itself goes no further.
    http.on("checkExpectation", (request, response) => this.#onRequest(request, response, false));
    http.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket as Socket, head));
    http.on("connect", (request, socket) => this.#onConnect(request, socket as Socket));
    http.on("clientError", (error, socket) => this.#onClientError(error, socket as Socket));
    return http;
  }

  #onConnection(socket: Socket): void {
    socket.on("error", ignore);
    this.#connections.set(socket, new ClientConnection(socket, this.#path));
    socket.on("close", () => this.#connections.delete(socket));
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    const connection = this.#connections.get(request.socket);
    connection?.enter(() => this.#startExchange(connection, { request, response, awaitsContinue }));
  }

  #startExchange(
    connection: ClientConnection,
    plain: { request: IncomingMessage; response: ServerResponse; awaitsContinue: boolean },
  ): Turn {
    const { request, response } = plain;
    if (this.#isStopping || connection.isLast) response.shouldKeepAlive = false;
    const exchange = new PlainExchange(this.#path, this.#pools, {
      ...plain,
      clientAddress: connection.clientAddress,
    });
    this.#openRequests++;
    request.socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    response.once("close", () => {
      this.#openRequests--;
      connection.leave();
      // The answer had left before the listener stopped, and could not say that it was the last.
      if (this.#isStopping && !connection.isBusy) connection.end();
    });
    const fault = headFault(request, this.#path.limits.maxHeaders);
    if (fault === undefined) void exchange.start();
    else exchange.refuse(fault.code, fault.detail);
    return exchange;
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return void socket.destroy();
    if (connection.isEnding) return void socket.resume();
    // Answers that are still under way could not be told from the tunnel's bytes.
    if (connection.isBusy) return this.#refuseConnection(connection, "HF_BAD_REQUEST", "an upgrade sent ahead");
    const { clientAddress } = connection;
    const handshake = new UpgradeHandshake({ request, socket, head, clientAddress }, this.#surroundings);
    this.#handshakes.add(handshake);
    const fault = headFault(request, this.#path.limits.maxHeaders);
    if (fault === undefined) handshake.start();
    else handshake.refuse(fault.code, fault.detail);
  }

  #join({ client, backend, policy, rule, lease, clientAddress, durationMs }: OpenedTunnel): void {
    const { address, port, upstream } = lease.backend;
    const context: TunnelContext = {
      id: this.#randomId(),
      route: rule.route,
      rule: rule.rule,
      upstream,
      backend: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
      clientAddress,
    };
    this.#holds.set(context, { lease, rule: rule.id });
    this.#path.observer.handshakeSucceeded(context, durationMs);
    this.#relay.join(client, backend, policy, context);
  }

  #giveBack(context: TunnelContext): void {
    const hold = this.#holds.get(context);
    if (hold === undefined) return;
    this.#holds.delete(context);
    hold.lease.release("closed");
    this.#liveRules.leave(hold.rule);
    if (this.#holds.size === 0) this.#onLastTunnel();
  }

  #onConnect(_request: IncomingMessage, socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return void socket.destroy();
    this.#refuseConnection(connection, "HF_METHOD", "CONNECT is not served");
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    const isParserFault = error.code?.startsWith("HPE_") === true || error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    if (connection === undefined || !isParserFault || !socket.writable) return void socket.destroy();
    // The parser is done for: what still comes is discarded without it.
    socket.removeAllListeners("data").on("data", () => {});
    const { code, detail } = parserFault(error);
    this.#refuseConnection(connection, code, detail);
  }

  /** The last word on a connection, unless an answer is already on its way. */
  #refuseConnection(connection: ClientConnection, code: ProxyErrorCode, detail: string): void {
    const { socket, clientAddress, hasAnswered } = connection;
    if (!connection.giveUp()) return void socket.resume();
    tellRefused(this.#path.observer, { code, detail, rule: undefined, clientAddress, isUpgrade: false });
    if (hasAnswered) return void socket.destroy();
    const text = { code, detail, headers: answerHeaders(code), accept: undefined };
    refuseSocket(socket, text, this.#path);
  }
}

function ignore(): void {}

/** As the decision will see it; everything else with an Upgrade header is a plain request (RFC 9110 7.8). */
function isWebSocketUpgrade(request: IncomingMessage): boolean {
  const { rawHeaders, httpVersion } = request;
  return asksForWebSocket(
    { upgrade: rawValues(rawHeaders, "upgrade"), connection: rawValues(rawHeaders, "connection") },
    httpVersion,
  );
}

/** Every value under a name (lower case), of name, value, name, value ... */
function rawValues(raw: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const received = raw[i] as string;
    if (received.length === name.length && received.toLowerCase() === name) values.push(raw[i + 1] as string);
  }
  return values;
}
