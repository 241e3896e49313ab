import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { type WebSocket, WebSocketServer, WebSocket as Client } from "ws";

/** Processes start, strip types and compile while the machine does other things. */
const SLOW = { timeout: 20_000 };
const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

type Child = ChildProcessByStdio<null, Readable, Readable>;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function holdfast(...args: readonly string[]): Child {
  const env = { PATH: process.env["PATH"] };
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  cleanups.push(() => child.kill("SIGKILL"));
  return child;
}

interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

class Running {
  readonly child: Child;
  readonly lines: LogLine[] = [];
  readonly ended: Promise<number | null>;

  constructor(...args: readonly string[]) {
    const all = [...args, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    this.child = holdfast(...all);
    createInterface({ input: this.child.stdout }).on("line", (line) => this.lines.push(JSON.parse(line) as LogLine));
    this.ended = once(this.child, "exit").then(([code]) => code as number | null);
  }

  async port(listener: "http" | "admin"): Promise<number> {
    const find = (): LogLine | undefined =>
      this.lines.find((line) => line.msg === "listening" && line["listener"] === listener);
    await vi.waitFor(() => expect(find()).toBeDefined(), SLOW);
    return Number(find()?.["port"]);
  }

  async said(message: string): Promise<LogLine> {
    await vi.waitFor(() => expect(this.lines.map(({ msg }) => msg)).toContain(message), SLOW);
    return this.lines.find(({ msg }) => msg === message)!;
  }

  async probe(path: string): Promise<number> {
    return (await fetch(`http://127.0.0.1:${await this.port("admin")}${path}`)).status;
  }
}

async function echoBackend(name: string): Promise<number> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  cleanups.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  server.on("connection", (socket: WebSocket, request) => {
    socket.send(`${name} ${request.url}`);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

interface Connected {
  readonly socket: Client;
  readonly messages: string[];
  readonly closed: Promise<number>;
}

async function connectTo(url: string): Promise<Connected> {
  const socket = new Client(url);
  const messages: string[] = [];
  socket.on("message", (data: Buffer) => messages.push(data.toString()));
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  cleanups.push(() => socket.terminate());
  await once(socket, "open");
  await vi.waitFor(() => expect(messages).toHaveLength(1));
  return { socket, messages, closed };
}

const QUICK = ["--shutdown-grace", "300ms", "--shutdown-deadline", "2s"];

test("proxy: echoes through backends in turn, closes with 1012 on SIGTERM and exits 0", async () => {
  const [one, two] = [await echoBackend("one"), await echoBackend("two")];
  const targets = ["--to", `127.0.0.1:${one}`, "--to", `127.0.0.1:${two}`, "--path", "/wsapp/", "--rewrite", "/"];
  const running = new Running("proxy", ...targets, ...QUICK);
  const url = `ws://127.0.0.1:${await running.port("http")}/wsapp/room?x=1`;
  const clients = [await connectTo(url), await connectTo(url)];
  expect(new Set(clients.map(({ messages }) => messages[0]))).toEqual(new Set(["one /room?x=1", "two /room?x=1"]));
  clients[0]!.socket.send("hello");
  await vi.waitFor(() => expect(clients[0]!.messages[1]).toBe("hello"));
  expect(await running.probe("/readyz")).toBe(200);

  running.child.kill("SIGTERM");
  await running.said("shutdown begins");
  expect(await running.probe("/readyz")).toBe(503);
  expect(await running.probe("/healthz")).toBe(200);
  const late = await connectTo(url);
  await running.said("stopped listening");
  await expect(connectTo(url)).rejects.toThrow(/ECONNREFUSED/);
  late.socket.send("still there");
  await vi.waitFor(() => expect(late.messages[1]).toBe("still there"));

  expect(await Promise.all([...clients, late].map(({ closed }) => closed))).toEqual([1012, 1012, 1012]);
  expect(await running.ended).toBe(0);
  const ends = running.lines.filter(({ msg }) => msg === "tunnel ended");
  expect(ends).toHaveLength(3);
  expect(ends[0]).toMatchObject({
    route: "default/proxy",
    rule: "all",
    by: "holdfast",
    cause: "proxy_shutdown",
    codeToClient: 1012,
    codeToBackend: 1001,
  });
});

test("SIGTERM without tunnels: exits as soon as the grace is over", async () => {
  const running = new Running("proxy", "--to", "127.0.0.1:1", "--shutdown-grace", "0s");
  await running.port("http");
  running.child.kill("SIGTERM");
  expect(await running.ended).toBe(0);
  expect((await running.said("shutdown complete"))["afterMs"]).toBeLessThan(1_000);
});

test("a second SIGTERM cuts what is left and exits", async () => {
  const running = new Running("proxy", "--to", `127.0.0.1:${await echoBackend("one")}`);
  const { closed } = await connectTo(`ws://127.0.0.1:${await running.port("http")}/`);
  running.child.kill("SIGTERM");
  await running.said("shutdown begins");
  running.child.kill("SIGTERM");
  expect(await closed).toBe(1006);
  expect(await running.ended).toBe(0);
  expect(await running.said("shutdown cuts what is left")).toMatchObject({ leftTunnels: 1 });
});

test("Ctrl-C closes tunnels at once and ends soon", async () => {
  const running = new Running("proxy", "--to", `127.0.0.1:${await echoBackend("one")}`);
  const { closed } = await connectTo(`ws://127.0.0.1:${await running.port("http")}/`);
  running.child.kill("SIGINT");
  expect(await closed).toBe(1012);
  expect(await running.ended).toBe(0);
});

test("SIGTERM while it starts ends it at once", async () => {
  const running = new Running("proxy", "--to", "127.0.0.1:1", "--shutdown-grace", "0s");
  await running.said("holdfast starts");
  running.child.kill("SIGTERM");
  expect(await running.ended).toBe(0);
});

test("serve: follows a folder; without any route it is ready too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-serve-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const port = await echoBackend("one");
  const running = new Running("serve", "--source", "files", "--dir", folder, ...QUICK);
  const http = await running.port("http");
  expect(await running.probe("/readyz")).toBe(200);
  expect((await fetch(`http://127.0.0.1:${http}/`)).headers.get("holdfast-error")).toBe("HF_NO_ROUTE");
  writeFileSync(
    join(folder, "all.yaml"),
    `
apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: { name: chat, namespace: apps }
spec: { rules: [{ backendRefs: [{ name: chat, port: 80 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: chat, namespace: apps }
spec: { ports: [{ name: ws, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: chat-1, namespace: apps, labels: { kubernetes.io/service-name: chat } }
addressType: IPv4
ports: [{ name: ws, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
`,
  );
  expect(await running.said("table is live")).toMatchObject({ routes: 1, rejectedRoutes: 0 });
  const { messages } = await connectTo(`ws://127.0.0.1:${http}/`);
  expect(messages).toEqual(["one /"]);
  running.child.kill("SIGINT");
  expect(await running.ended).toBe(0);
});

async function failure(...args: readonly string[]): Promise<{ code: number | null; err: string }> {
  const child = holdfast(...args);
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  return { code: code as number | null, err };
}

async function takenPort(): Promise<number> {
  const server: Server = createServer().listen(0, "127.0.0.1");
  cleanups.push(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test("a port in use is said in words, exit code 1", async () => {
  const port = await takenPort();
  expect(await failure("proxy", "--to", "127.0.0.1:1", "--http", `127.0.0.1:${port}`)).toEqual({
    code: 1,
    err: `error: cannot listen on 127.0.0.1:${port}: the port is in use by another process. Choose another address with --http.\n`,
  });
});

test("a folder that does not exist is said in words, exit code 2", async () => {
  const dir = join(tmpdir(), "holdfast-no-such-folder");
  expect(await failure("serve", "--source", "files", "--dir", dir)).toEqual({
    code: 2,
    err: `error: --dir ${dir} does not exist.\n`,
  });
});
