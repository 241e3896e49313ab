import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { afterEach } from "vitest";
import type { After, Log } from "../controller/index.ts";
import { ApiClient, Credentials } from "./index.ts";

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

/** Runs after the test, the last one first. */
export function atEnd(end: () => Promise<void> | void): void {
  endings.push(end);
}

export class LogLines implements Log {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  debug = (fields: object, message: string): void => this.#add("debug", fields, message);
  info = (fields: object, message: string): void => this.#add("info", fields, message);
  warn = (fields: object, message: string): void => this.#add("warn", fields, message);
  error = (fields: object, message: string): void => this.#add("error", fields, message);
  of(level: string): readonly string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields: { ...fields } });
  }
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(`${tmpdir()}/holdfast-kube-`);
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/**
 * A server that says what no API server should: the real one is in test/cluster. Every answer is the test's, byte by
 * byte.
 */
export class OddServer {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(answer: (asked: Asked, response: ServerResponse) => void) {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        const asked = {
          method: request.method ?? "",
          url: new URL(request.url ?? "", "http://server"),
          headers: request.headers,
          body,
        };
        this.asked.push(asked);
        answer(asked, response);
      });
    });
    this.#server.on("connection", (socket) => {
      this.#connections += 1;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(answer: (asked: Asked, response: ServerResponse) => void): Promise<OddServer> {
    const odd = new OddServer(answer);
    await new Promise<void>((resolve) => odd.#server.listen(0, "127.0.0.1", resolve));
    atEnd(() => odd.stop());
    return odd;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("a TCP server has a port");
    return `http://127.0.0.1:${address.port}`;
  }
  /** Connections ever opened. */
  get connections(): number {
    return this.#connections;
  }
  get openSockets(): number {
    return this.#sockets.size;
  }
  stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

export function kubeconfigText(server: string, user: object = { token: "secret" }, cluster: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "here",
    contexts: [{ name: "here", context: { cluster: "c", user: "u", namespace: "apps" } }],
    clusters: [{ name: "c", cluster: { server, ...cluster } }],
    users: [{ name: "u", user }],
  });
}

async function credentialsFor(server: string, log: Log = new LogLines()): Promise<Credentials> {
  const file = `${await temporaryFolder()}/config`;
  await writeFile(file, kubeconfigText(server));
  return Credentials.load({ kubeconfig: file, env: {}, log });
}

/** With a clock of the test's where it matters. */
export async function clientFor(server: string, clock: { after?: After; now?: () => number } = {}): Promise<ApiClient> {
  const client = new ApiClient({ credentials: await credentialsFor(server), version: "1.2.3", ...clock });
  atEnd(() => client.close());
  return client;
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: object = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}
