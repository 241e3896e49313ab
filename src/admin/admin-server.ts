import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** Bounds of a port that only probes and scrapers use. */
const MAX_CONNECTIONS = 256;
const MAX_HEAD_BYTES = 8 * 1024;
const HEAD_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;

export interface AdminOptions {
  readonly isReady: () => boolean;
  /** The text of /metrics. */
  readonly metrics: () => Promise<string>;
  readonly metricsContentType: string;
  /** Hears of failures of `metrics`. */
  readonly onError: (error: unknown) => void;
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

/** Answers probes and scrapers; GET and HEAD only. */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #server: Server;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEAD_BYTES,
        headersTimeout: HEAD_TIMEOUT_MS,
        requestTimeout: HEAD_TIMEOUT_MS,
        connectionsCheckingInterval: 1_000,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on("connection", (socket) => socket.on("error", () => socket.destroy()));
  }

  /** Resolves with what is listened on; rejects with the error of the system, EADDRINUSE for example. */
  async listen(address: AdminAddress): Promise<{ readonly address: string; readonly port: number }> {
    const server = this.#server;
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

  /** Closes the port and all its connections. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => response.destroy());
    response.on("error", () => response.destroy());
    // Whatever a body holds, it is not for us.
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      response.setHeader("connection", "close");
      send(response, { status: 405, body: "only GET and HEAD are served here\n" });
      return;
    }
    send(response, await this.#answer(pathOf(request.url ?? "/")));
  }

  async #answer(path: string): Promise<Answer> {
    switch (path) {
      case "/":
        return { status: 200, body: INDEX };
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
