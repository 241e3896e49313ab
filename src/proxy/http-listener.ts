import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { type DataPath, receivedHead } from "./data-path.ts";
import { FirstChunks } from "./first-chunks.ts";
import type { OwnListener } from "./forbidden-targets.ts";
import { asksForWebSocket } from "./handshake-request.ts";
import { rawValues } from "./raw-headers.ts";
import type { ReceivedHead } from "./types.ts";
import { readUpgradeHead } from "./upgrade-head.ts";

/** Node looks for connections past their header timeout this often. */
const CHECK_INTERVAL_MS = 500;

/** Clients that come at once, after a failover, wait in the kernel and not for a second SYN; `somaxconn` may bound it. */
const BACKLOG = 4096;

export interface ListenPlace {
  readonly host: string;
  readonly port: number;
}

/** A request for a WebSocket; HTTP has let go of the socket, and nobody listens on it. */
export interface ReceivedUpgrade {
  readonly head: ReceivedHead;
  readonly socket: Socket;
  /** Read behind the head. */
  readonly early: Buffer;
}

/** What clients ask for. */
export interface HttpEvents {
  connection(socket: Socket): void;
  /** A plain request; `awaitsContinue`: its body comes only after a 100. */
  request(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void;
  upgrade(upgrade: ReceivedUpgrade): void;
  /** The method CONNECT; HTTP has let go of the socket. */
  connect(socket: Socket): void;
  /** What came is no HTTP, or came too late. */
  clientError(error: NodeJS.ErrnoException, socket: Socket): void;
}

/**
 * A listener for HTTP/1.1. A connection that begins with an everyday request for a WebSocket, whole in its first chunk,
 * never meets Node's HTTP server: its parser and its dozen listeners are a good part of what a handshake costs. Every
 * other connection goes to that server, from its first byte, and stays with it.
 */
export class HttpListener {
  readonly #path: DataPath;
  readonly #events: HttpEvents;
  readonly #http: Server;
  readonly #firstChunks: FirstChunks;
  /** Node's own listener for new connections. */
  readonly #serve: (socket: Socket) => void;

  constructor(path: DataPath, events: HttpEvents) {
    const { wheel, now, limits } = path;
    this.#path = path;
    this.#events = events;
    this.#http = createHttp(path, events);
    this.#firstChunks = new FirstChunks({
      wheel,
      now,
      limitMs: limits.headerTimeoutMs,
      checkMs: Math.min(CHECK_INTERVAL_MS, limits.headerTimeoutMs),
      onChunk: (socket, chunk) => this.#onFirstChunk(socket, chunk),
      onLate: (socket) => events.clientError(NOTHING_CAME, socket),
    });
    const serve = this.#http.listeners("connection").map((listener) => listener.bind(this.#http));
    this.#serve = (socket) => {
      for (const listener of serve) listener(socket);
    };
    this.#http.removeAllListeners("connection").on("connection", (socket: Socket) => {
      events.connection(socket);
      this.#firstChunks.await(socket);
    });
  }

  /** Where it listens at the moment. */
  get listeners(): readonly OwnListener[] {
    const bound = this.#http.address();
    return bound === null || typeof bound === "string" ? [] : [{ address: bound.address, port: bound.port }];
  }

  /** Port 0 takes a free one. Rejects when the address cannot be had. */
  async listen({ host, port }: ListenPlace): Promise<OwnListener> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen({ host, port, backlog: BACKLOG }, () => {
        this.#http.off("error", reject);
        resolve();
      });
    });
    // One connection that could not be accepted is no reason to stop accepting.
    this.#http.on("error", () => {});
    const { address, port: bound } = this.#http.address() as AddressInfo;
    return { address, port: bound };
  }

  /** Accepts no more connections and ends those that are idle. */
  stop(): void {
    // Not http's own close(): it would also stop looking for connections that never send their head.
    if (this.#http.listening) NetServer.prototype.close.call(this.#http);
    this.#firstChunks.endAll();
    this.#http.closeIdleConnections();
  }

  /** Resolves when every connection is closed. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#http.close(() => resolve()));
  }

  #onFirstChunk(socket: Socket, chunk: Buffer): void {
    const upgrade = readUpgradeHead(chunk, this.#path.limits);
    if (upgrade !== undefined) {
      return this.#events.upgrade({ head: upgrade.head, socket, early: chunk.subarray(upgrade.size) });
    }
    // Until Node listens nothing must flow.
    socket.pause();
    socket.unshift(chunk);
    this.#serve(socket);
    socket.resume();
  }
}

/** What Node says of a connection whose head does not come in time. One for all: thousands may be late at once. */
const NOTHING_CAME: NodeJS.ErrnoException = Object.assign(new Error("nothing came in time"), {
  code: "ERR_HTTP_REQUEST_TIMEOUT",
});

/** Node's server with its settings, which are ours to know. */
function createHttp({ limits }: DataPath, events: HttpEvents): Server {
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
  http.on("request", (request, response) => events.request(request, response, false));
  http.on("checkContinue", (request, response) => events.request(request, response, true));
  // RFC 9110 10.1.1 lets a server ignore expectations it does not know; the field itself goes no further.
  http.on("checkExpectation", (request, response) => events.request(request, response, false));
  http.on("upgrade", (request, socket, early) => {
    events.upgrade({ head: receivedHead(request), socket: socket as Socket, early });
  });
  http.on("connect", (_request, socket) => events.connect(socket as Socket));
  http.on("clientError", (error, socket) => events.clientError(error, socket as Socket));
  return http;
}

/** As the decision will see it; everything else with an Upgrade header is a plain request (RFC 9110 7.8). */
function isWebSocketUpgrade({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  const upgrade = rawValues(rawHeaders, "upgrade");
  if (upgrade.length === 0) return false;
  return asksForWebSocket({ upgrade, connection: rawValues(rawHeaders, "connection") }, httpVersion);
}
