import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { TimerWheel } from "../relay/index.ts";
import type { ActiveHealth } from "../routing/index.ts";
import {
  ask,
  Cleanups,
  closedPort,
  type StartedBackend,
  startHttp,
  startSaying,
  startTcp,
  startWheel,
} from "./health.fixture.ts";
import { MOST_BYTES } from "./probe-run.ts";

const TYPES: readonly ActiveHealth["type"][] = ["TCP", "HTTP", "WebSocket"];
const TALKING: readonly ActiveHealth["type"][] = ["HTTP", "WebSocket"];
/** What comes at once may be late on a busy machine. */
const SOON = { timeout: 20_000 };
/** Long enough for what is well, and short where a test waits for it. */
const SHORT = { timeoutMs: 150 };

let cleanups: Cleanups;
let wheel: TimerWheel;

beforeEach(() => {
  cleanups = new Cleanups();
  wheel = startWheel(cleanups);
});

afterEach(async () => {
  // Nothing of a probe outlives it.
  expect(wheel.size).toBe(0);
  await cleanups.run();
});

/** Nothing more comes, and nothing is held open. */
async function allClosed({ sockets }: Pick<StartedBackend, "sockets">): Promise<void> {
  await expect.poll(() => sockets.every((socket) => socket.destroyed), SOON).toBe(true);
}

interface WebSocketBackend extends StartedBackend {
  readonly handshakes: { readonly url: string | undefined; readonly headers: IncomingHttpHeaders }[];
  readonly pings: Buffer[];
  readonly closes: number[];
}

async function startWebSocket(greeting?: string | Buffer): Promise<WebSocketBackend> {
  const http = createServer();
  const sockets: Socket[] = [];
  const backend = { handshakes: [], pings: [], closes: [], sockets } as Omit<WebSocketBackend, "port">;
  http.on("connection", (socket) => void sockets.push(socket));
  const server = new WebSocketServer({ server: http });
  server.on("connection", (socket, request) => {
    backend.handshakes.push({ url: request.url, headers: request.headers });
    socket.on("ping", (payload) => backend.pings.push(payload));
    socket.on("close", (code) => backend.closes.push(code));
    socket.on("error", () => {});
    if (greeting !== undefined) socket.send(greeting);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  cleanups.add(() => {
    for (const socket of sockets) socket.destroy();
    http.close();
    return once(http, "close");
  });
  return { ...backend, port: (http.address() as AddressInfo).port };
}

/** Answers the handshake as RFC 6455 4.2.2 has it, or with another key's answer, and then says `then` to each chunk. */
function startSwitching(then: (socket: Socket, chunk: Buffer) => void, key?: string): Promise<StartedBackend> {
  return startTcp(cleanups, (socket) => {
    socket.once("data", (head: Buffer) => {
      const asked = key ?? /sec-websocket-key: (.*)\r\n/i.exec(head.toString("latin1"))?.[1] ?? "";
      const accept = createHash("sha1").update(`${asked}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.on("data", (chunk) => then(socket, chunk));
    });
  });
}

test.for(TYPES)("%s: a port on which nobody listens is no connection", async (type) => {
  const answer = await ask(await closedPort(), { type }, { wheel });
  expect(answer).toEqual({ result: "no_connection", why: "ECONNREFUSED" });
});

test.for(TYPES)("%s: a forbidden address is not connected to, and fails", async (type) => {
  const backend = await startWebSocket();
  const asked: [string, number][] = [];
  const isForbidden = (address: string, port: number): string | undefined => {
    asked.push([address, port]);
    return "a loopback address";
  };
  const answer = await ask(1, { type, port: backend.port }, { wheel, isForbidden });
  expect(answer).toEqual({ result: "forbidden", why: "the endpoint is a loopback address" });
  expect(asked).toEqual([["127.0.0.1", backend.port]]);
  expect(backend.sockets).toEqual([]);
});

test("TCP: a port that accepts is well, and is left at once and without a byte", async () => {
  const received: Buffer[] = [];
  const backend = await startTcp(cleanups, (socket) => void socket.on("data", (chunk) => received.push(chunk)));
  expect(await ask(backend.port, {}, { wheel })).toEqual({ result: "success", why: "" });
  await allClosed(backend);
  expect(received).toEqual([]);
});

test.for([
  { status: 200, result: "success" },
  { status: 204, result: "success" },
  { status: 399, result: "success" },
  { status: 400, result: "bad_answer" },
  { status: 404, result: "bad_answer" },
  { status: 500, result: "bad_answer" },
])("HTTP: status $status is $result", async ({ status, result }) => {
  const backend = await startHttp(cleanups, (_request, response) => void response.writeHead(status).end("words"));
  const answer = await ask(backend.port, { type: "HTTP" }, { wheel });
  expect(answer).toEqual({ result, why: result === "success" ? "" : `status ${status}` });
  await allClosed(backend);
});

test("HTTP: a GET of the path as it stands, for the host that the rule names, said to be a probe, for one answer", async () => {
  const heads: unknown[] = [];
  const backend = await startHttp(cleanups, ({ method, url, headers }, response) => {
    heads.push({ method, url, ...headers });
    response.end();
  });
  await ask(backend.port, { type: "HTTP", path: "/a/../b?x=%41&y={1}", host: "chat.example:8080" }, { wheel });
  await ask(1, { type: "HTTP", port: backend.port }, { wheel });
  expect(heads).toEqual([
    {
      method: "GET",
      url: "/a/../b?x=%41&y={1}",
      host: "chat.example:8080",
      "user-agent": "holdfast-probe",
      accept: "*/*",
      connection: "close",
    },
    expect.objectContaining({ url: "/", host: `127.0.0.1:${backend.port}` }),
  ]);
});

test.for(TALKING)("%s: a redirect is not followed, whoever it leads to", async (type) => {
  const elsewhere = await startWebSocket();
  const backend = await startHttp(cleanups, ({ url }, response) => {
    const location = url === "/loop" ? "/loop" : `http://127.0.0.1:${elsewhere.port}/`;
    response.writeHead(302, { location }).end();
  });
  const result = type === "HTTP" ? "success" : "bad_answer";
  expect(await ask(backend.port, { type }, { wheel })).toMatchObject({ result });
  expect(await ask(backend.port, { type, path: "/loop" }, { wheel })).toMatchObject({ result });
  expect(backend.sockets).toHaveLength(2);
  expect(elsewhere.sockets).toEqual([]);
  await allClosed(backend);
});

test("HTTP: an endless body keeps the probe no longer than a moment, and is well", async () => {
  const backend = await startHttp(cleanups, (_request, response) => {
    const timer = setInterval(() => response.write("x"), 5);
    response.on("close", () => clearInterval(timer));
  });
  expect(await ask(backend.port, { type: "HTTP", ...SHORT }, { wheel })).toEqual({ result: "success", why: "" });
  await allClosed(backend);
});

test("HTTP: a body is read to its end, so that its backend can say all of it", async () => {
  const finished: boolean[] = [];
  const backend = await startHttp(cleanups, (_request, response) => {
    response.on("close", () => finished.push(response.writableFinished));
    response.write("x".repeat(100_000));
    setImmediate(() => response.end("the last of it"));
  });
  await ask(backend.port, { type: "HTTP" }, { wheel });
  await expect.poll(() => finished, SOON).toEqual([true]);
});

test("HTTP: a backend that keeps the connection open is left at the end of its answer, without waiting", async () => {
  const backend = await startSaying(cleanups, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  // No timer of this one ever fires.
  const still = new TimerWheel({ now: () => 0 });
  expect(await ask(backend.port, { type: "HTTP" }, { wheel: still })).toEqual({ result: "success", why: "" });
  expect(still.size).toBe(0);
  await allClosed(backend);
});

test("HTTP: a switch of protocols that nobody asked for is no answer", async () => {
  const backend = await startSaying(
    cleanups,
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
  );
  const answer = await ask(backend.port, { type: "HTTP" }, { wheel });
  expect(answer).toEqual({ result: "bad_answer", why: "status 101" });
  await allClosed(backend);
});

test.for(TALKING)("%s: a backend that accepts and is silent takes too long", async (type) => {
  const backend = await startTcp(cleanups, (socket) => void socket.resume());
  const startedMs = performance.now();
  expect(await ask(backend.port, { type, ...SHORT }, { wheel })).toEqual({
    result: "timeout",
    why: "no answer in time",
  });
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(SHORT.timeoutMs);
  await allClosed(backend);
});

test.for(TALKING)("%s: a head that drips takes too long, however alive it looks", async (type) => {
  const backend = await startTcp(cleanups, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const timer = setInterval(() => socket.write("x-drip: 1\r\n"), 5);
    socket.on("close", () => clearInterval(timer));
  });
  expect(await ask(backend.port, { type, ...SHORT }, { wheel })).toMatchObject({ result: "timeout" });
  await allClosed(backend);
});

const EARLY_HINTS = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";

test.for(
  TALKING.flatMap((type) => [
    { type, name: "what is not HTTP", why: /HTTP/, text: "220 mail.example ESMTP\r\n".repeat(3) },
    { type, name: "bytes at random", why: /HTTP/, text: Buffer.from("0003ff0015030100021628", "hex") },
    { type, name: "a header without bound", why: /overflow/i, text: `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}` },
    { type, name: "headers without number", why: /overflow/i, text: `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}` },
    { type, name: "interim answers without end", why: /interim/, text: EARLY_HINTS.repeat(20_000) },
  ]),
)("$type: $name is a bad answer", async ({ type, why, text }) => {
  const backend = await startSaying(cleanups, text);
  const answer = await ask(backend.port, { type }, { wheel });
  expect(answer.result).toBe("bad_answer");
  expect(answer.why).toMatch(why);
  await allClosed(backend);
});

test.for(TALKING)("%s: a connection that ends without an answer is a bad one, by FIN or RST", async (type) => {
  for (const end of ["end", "resetAndDestroy"] as const) {
    const backend = await startTcp(cleanups, (socket) => void socket.once("data", () => void socket[end]()));
    expect(await ask(backend.port, { type }, { wheel })).toMatchObject({ result: "bad_answer" });
    await allClosed(backend);
  }
});

test("WebSocket: 101 and a Pong are well; it is left with 1000, and its path and host are the rule's", async () => {
  const backend = await startWebSocket();
  const active = { type: "WebSocket", path: "/a/../b?x={1}", host: "chat.example" } as const;
  expect(await ask(backend.port, active, { wheel })).toEqual({ result: "success", why: "" });
  await expect.poll(() => backend.closes, SOON).toEqual([1000]);
  await allClosed(backend);
  expect(backend.handshakes).toMatchObject([
    { url: "/a/../b?x={1}", headers: { host: "chat.example", "user-agent": "holdfast-probe" } },
  ]);
  expect(backend.handshakes[0]?.headers).not.toHaveProperty("sec-websocket-extensions");
  await ask(backend.port, { type: "WebSocket" }, { wheel });
  expect(backend.pings[0]).not.toEqual(backend.pings[1]);
  expect(backend.handshakes[1]).toMatchObject({ url: "/", headers: { host: `127.0.0.1:${backend.port}` } });
});

test("WebSocket: a backend that greets first is well", async () => {
  const backend = await startWebSocket("x".repeat(MOST_BYTES / 2));
  expect(await ask(backend.port, { type: "WebSocket" }, { wheel })).toMatchObject({ result: "success" });
});

test.for([
  { name: "in one message", size: 2 * MOST_BYTES, times: 1 },
  { name: "in many", size: 60_000, times: 20 },
])("WebSocket: more than anyone needs before the Pong is a bad answer, $name", async ({ size, times }) => {
  const head = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(size, 6);
  const message = Buffer.concat([head, Buffer.alloc(size)]);
  const backend = await startSwitching((socket) => {
    for (let count = 0; count < times; count++) socket.write(message);
  });
  expect(await ask(backend.port, { type: "WebSocket" }, { wheel })).toMatchObject({ result: "bad_answer" });
  await allClosed(backend);
});

test.for([
  { name: "plain 200", status: 200 },
  { name: "403", status: 403 },
  { name: "500", status: 500 },
])("WebSocket: $name instead of 101 is a bad answer", async ({ status }) => {
  const backend = await startHttp(cleanups, (_request, response) => void response.writeHead(status).end("no"));
  const answer = await ask(backend.port, { type: "WebSocket" }, { wheel });
  expect(answer).toEqual({ result: "bad_answer", why: `status ${status}` });
  await allClosed(backend);
});

test("WebSocket: a 101 for another key is a bad answer", async () => {
  const backend = await startSwitching(() => {}, "another");
  expect(await ask(backend.port, { type: "WebSocket" }, { wheel })).toMatchObject({ result: "bad_answer" });
  await allClosed(backend);
});

const UNASKED = Buffer.concat([Buffer.from([0x8a, 5]), Buffer.from("other")]);

test.for([
  { name: "never says anything", says: () => {} },
  { name: "says Pong to something else", says: (socket: Socket) => void socket.write(UNASKED) },
  { name: "only talks", says: (socket: Socket) => void socket.write(Buffer.from([0x81, 1, 65])) },
])("WebSocket: a backend that $name lacks the Pong", async ({ says }) => {
  const backend = await startSwitching(says);
  const answer = await ask(backend.port, { type: "WebSocket", ...SHORT }, { wheel });
  expect(answer).toEqual({ result: "timeout", why: "no Pong in time" });
  await allClosed(backend);
});

test.for([
  {
    name: "a Close instead of the Pong",
    frame: [0x88, 2, 1008 >> 8, 1008 & 255],
    why: "closed with 1008 before the Pong",
  },
  { name: "a frame that is none", frame: [0xff, 255, 1, 2, 3], why: expect.stringContaining("RSV") },
])("WebSocket: $name is a bad answer", async ({ frame, why }) => {
  const backend = await startSwitching((socket) => void socket.end(Buffer.from(frame)));
  expect(await ask(backend.port, { type: "WebSocket" }, { wheel })).toEqual({ result: "bad_answer", why });
  await allClosed(backend);
});

test("WebSocket: whoever does not answer our Close is well, and left after a moment", async () => {
  const backend = await startSwitching((socket, chunk) => {
    const payload = Buffer.from(chunk.subarray(6).map((byte, i) => byte ^ (chunk[2 + (i % 4)] ?? 0)));
    if (chunk[0] === 0x89) socket.write(Buffer.concat([Buffer.from([0x8a, payload.length]), payload]));
  });
  expect(await ask(backend.port, { type: "WebSocket", ...SHORT }, { wheel })).toMatchObject({ result: "success" });
  await allClosed(backend);
});

test("a host that Node refuses to send is a bad answer, and throws at nobody", async () => {
  const backend = await startTcp(cleanups, (socket) => void socket.resume());
  for (const type of TALKING) {
    const answer = await ask(backend.port, { type, host: "a\r\nb" }, { wheel });
    expect(answer).toMatchObject({ result: "bad_answer" });
  }
  await allClosed(backend);
});
