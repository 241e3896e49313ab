import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { ActionsOptions } from "./actions.ts";
import { OperatorApi } from "./operator-api.ts";
import type { Road } from "./request-guard.ts";
import { listenOnSocketFile } from "./socket-file.ts";

/** Bounds of a port that only probes, scrapers and operators use; of the unix socket the same. */
const MAX_CONNECTIONS = 256;
const MAX_HEAD_BYTES = 8 * 1024;
const HEAD_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;
/** What is being written when the server stops may still leave. */
const STOP_MS = 200;

export interface AdminOptions {
  readonly isReady: () => boolean;
  /** The text of /metrics. */
  readonly metrics: () => Promise<string>;
  readonly metricsContentType: string;
  /** Hears of failures of `metrics` and of the operator's doings. */
  readonly onError: (error: unknown) => void;
  /** What the operator's paths, `/v1/...`, act on; not given = there are none. */
  readonly operator?: ActionsOptions | undefined;
}

export interface AdminAddress {
  /** undefined = every address of the machine. */
  readonly host: string | undefined;
  /** 0 = any free one. */
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

const INDEX = `Holdfast admin
/healthz  200 while the process serves
/readyz   200 when new clients may come, 503 before the first table and from SIGTERM on
/metrics  Prometheus text format
`;

const OPERATOR_INDEX = `/v1/...   for operators, from this machine only: tunnels, backends, routes, drains (docs/reference/admin-api.md)
`;

/**
 * Answers probes and scrapers wherever they come from, GET and HEAD only, and operators on this machine: over loopback, or
 * over a unix socket that only the same user may open.
 */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #api: OperatorApi | undefined;
  readonly #tcp: Server;
  readonly #unix: Server;

  constructor(options: AdminOptions) {
    const { operator, onError } = options;
    this.#options = options;
    this.#api = operator === undefined ? undefined : new OperatorApi({ ...operator, onError });
    this.#tcp = boundedServer((request, response) => void this.#serve(request, response, "tcp"));
    this.#unix = boundedServer((request, response) => void this.#serve(request, response, "socket"));
  }

  /** Resolves with what is listened on; rejects with the error of the system, EADDRINUSE for example. */
  async listen(address: AdminAddress): Promise<{ readonly address: string; readonly port: number }> {
    const server = this.#tcp;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.host === undefined ? { port: address.port } : { ...address }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
    // What goes wrong while accepting (too many open files) passes; the port stays open.
    server.on("error", this.#options.onError);
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("the admin port has no address");
    return { address: bound.address, port: bound.port };
  }

  /**
   * Listens on a unix socket as well, which only this user may open. A file that a process left behind when it died is
   * replaced; rejects with a SocketFileError, in words, when the path cannot be had.
   */
  async listenOnSocket(path: string): Promise<void> {
    await listenOnSocketFile(this.#unix, path);
    this.#unix.on("error", this.#options.onError);
  }

  /** Closes port and socket and all their connections; what waits for a drain is told so before. */
  async stop(): Promise<void> {
    this.#api?.stop();
    await Promise.all([close(this.#tcp), close(this.#unix)]);
  }

  async #serve(request: IncomingMessage, response: ServerResponse, road: Road): Promise<void> {
    request.on("error", () => response.destroy());
    response.on("error", () => response.destroy());
    const path = pathOf(request.url ?? "/");
    if (this.#api !== undefined && OperatorApi.isFor(path)) return this.#api.serve(request, response, road);
    // Whatever a body holds, it is not for us.
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      response.setHeader("connection", "close");
      send(response, { status: 405, body: "only GET and HEAD are served here\n" });
      return;
    }
    send(response, await this.#answer(path));
  }

  async #answer(path: string): Promise<Answer> {
    switch (path) {
      case "/":
        return { status: 200, body: this.#api === undefined ? INDEX : INDEX + OPERATOR_INDEX };
      case "/healthz":
        return { status: 200, body: "ok\n" };
      case "/readyz":
        return this.#options.isReady() ? { status: 200, body: "ready\n" } : { status: 503, body: "not ready\n" };
      case "/metrics":
        return this.#metrics();
      default:
        return { status: 404, body: "not found; / lists what is here\n" };
    }
  }

  async #metrics(): Promise<Answer> {
    try {
      return { status: 200, body: await this.#options.metrics(), contentType: this.#options.metricsContentType };
    } catch (error) {
      this.#options.onError(error);
      return { status: 500, body: "the metrics could not be collected; the log says why\n" };
    }
  }
}

function boundedServer(onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const bounds = {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: HEAD_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = createServer(bounds, onRequest);
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket) => socket.on("error", () => socket.destroy()));
  return server;
}

function close(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), STOP_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}

/** A HEAD gets the same headers; node:http leaves the body out itself. */
function send(response: ServerResponse, { status, body, contentType }: Answer): void {
  response.writeHead(status, {
    "content-type": contentType ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}
