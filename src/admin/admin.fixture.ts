import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request as httpRequest, type RequestOptions } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { AdminServer } from "./admin-server.ts";
import { MemoryOperations } from "./operations.fixture.ts";

/** A served `Operations` in memory, on a free port and a socket. `await using` ends it. */
export class ServedOperations implements AsyncDisposable {
  readonly operations = new MemoryOperations();
  readonly errors: unknown[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-admin-"));
  readonly socketPath = join(this.folder, "admin.sock");
  readonly server: AdminServer;
  port = 0;

  private constructor() {
    this.server = new AdminServer({
      isReady: () => true,
      metrics: () => Promise.resolve("some_metric 1\n"),
      metricsContentType: "text/plain; version=0.0.4; charset=utf-8",
      onError: (error) => this.errors.push(error),
      operator: { operations: this.operations, defaults: { graceMs: 15_000, withinMs: 25_000 } },
    });
  }

  static async start(host = "127.0.0.1"): Promise<ServedOperations> {
    const served = new ServedOperations();
    served.port = (await served.server.listen({ host, port: 0 })).port;
    await served.server.listenOnSocket(served.socketPath);
    return served;
  }

  /** What a path answers, over loopback TCP. */
  ask(path: string, options: AskOptions = {}): Promise<Answered> {
    return ask({ host: "127.0.0.1", port: this.port, path }, options);
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const options = { method: "POST", headers: { "content-type": "application/json", ...headers } };
    return this.ask(path, { ...options, body: typeof body === "string" ? body : JSON.stringify(body) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    rmSync(this.folder, { recursive: true });
  }
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  readonly body: any;
}

/** One request on a connection of its own; the answer must be JSON. */
export function ask(at: RequestOptions, { body, headers, ...options }: AskOptions): Promise<Answered> {
  return new Promise((resolve, reject) => {
    // Without it, Node sends the body of a GET as if it were the next request.
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = httpRequest({ ...at, ...options, headers: { ...length, ...headers }, agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      const { statusCode: status = 0 } = response;
      json(response).then((answer) => resolve({ status, headers: response.headers, body: answer }), reject);
    });
    request.end(body);
  });
}
