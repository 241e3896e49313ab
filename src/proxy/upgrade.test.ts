import type { AddressInfo, Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  atRest,
  Cleanups,
  closedPort,
  entry,
  handshakeHead,
  pour,
  rawClient,
  startAnswering,
  startProxy,
  startTcp,
  switchHead,
  textFrame,
} from "./proxy.fixture.ts";

/** A `ws` backend that sends back what it gets, in the one subprotocol it speaks. */
async function startEcho(cleanups: Cleanups, subprotocol: string): Promise<number> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => subprotocol });
  await new Promise((resolve) => server.once("listening", resolve));
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  cleanups.add(async () => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

describe("tunnels", () => {
  test("a ws client talks to a ws server, and its close is clean", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { backends: [await startEcho(cleanups, "chat")] });
    const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/x`, ["chat"]);
    cleanups.add(() => client.terminate());
    await new Promise((resolve) => client.once("open", resolve));
    expect(client.protocol).toBe("chat");
    expect(proxy.leases()).toEqual([0, 1]);
    const echoed = new Promise((resolve) => client.once("message", (data: Buffer) => resolve(data.toString())));
    client.send("hello");
    expect(await echoed).toBe("hello");
    const closed = new Promise((resolve) => client.once("close", (code) => resolve(code)));
    client.close(1000);
    expect(await closed).toBe(1000);
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
    const ended = proxy.seen.ended.map(({ context, end }) => ({
      ...context,
      cause: end.cause,
      up: end.stats.messagesUp,
    }));
    expect(ended).toMatchObject([
      { id: "t0", route: "apps/chat", rule: "app", clientAddress: "127.0.0.1", cause: "client_close", up: 1 },
    ]);
  });

  test("frames in one packet with the head, on both sides, arrive in order", async () => {
    await using cleanups = new Cleanups();
    const sockets: Socket[] = [];
    let got = "";
    const port = await startTcp(cleanups, (socket) => {
      sockets.push(socket);
      socket.on("data", (chunk) => {
        const isFirst = got === "";
        got += chunk.toString("latin1");
        if (isFirst) socket.write(switchHead() + textFrame("b1", "backend") + textFrame("b2", "backend"), "latin1");
      });
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    const client = rawClient(
      cleanups,
      proxy.port,
      handshakeHead() + textFrame("c1", "client") + textFrame("c2", "client"),
    );
    await expect.poll(() => bodyOf(client.text())).toBe(textFrame("b1", "backend") + textFrame("b2", "backend"));
    client.send(textFrame("c3", "client"));
    await expect.poll(() => bodyOf(got)).toBe(["c1", "c2", "c3"].map((text) => textFrame(text, "client")).join(""));
    sockets[0]!.write(textFrame("b3", "backend"), "latin1");
    await expect
      .poll(() => bodyOf(client.text()))
      .toBe(["b1", "b2", "b3"].map((text) => textFrame(text, "backend")).join(""));
  });

  test.for([
    { name: "none", extra: [], fault: "reserved_bits" },
    { name: "permessage-deflate", extra: ["Sec-WebSocket-Extensions: permessage-deflate"], fault: undefined },
  ])("whose bits a frame may set is what was negotiated: $name", async ({ extra, fault }) => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { backends: [await startAnswering(cleanups, switchHead(extra))] });
    const client = rawClient(cleanups, proxy.port, handshakeHead(["Sec-WebSocket-Extensions: permessage-deflate"]));
    await expect.poll(() => client.text()).toContain(" 101 ");
    const frame = Buffer.from(textFrame("x", "client"), "latin1");
    frame[0] = 0xc1;
    client.send(frame);
    await expect.poll(() => [...proxy.server.tunnels].map(({ stats }) => stats.messagesUp)).toEqual([1]);
    client.socket.resetAndDestroy();
    await expect.poll(() => proxy.seen.ended.map(({ end }) => end.clientFaults?.first)).toEqual([fault]);
  });

  test("what a client sends before the 101 is kept within bounds, and none of it is lost", async () => {
    await using cleanups = new Cleanups();
    let backend: Socket | undefined;
    const received: Buffer[] = [];
    const port = await startTcp(cleanups, (socket) => {
      backend = socket;
      socket.on("data", (chunk) => void received.push(chunk));
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => String(Buffer.concat(received))).toContain("\r\n\r\n");
    const message = Buffer.alloc(32 * 1024 * 1024, "a");
    const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    client.send(head);
    const taken = pour(client.socket, message.length);
    await expect.poll(atRest(taken)).toBe(true);
    // What the kernels keep between them and little more.
    expect(taken()).toBeLessThan(16 * 1024 * 1024);
    backend!.write(switchHead(), "latin1");
    await expect
      .poll(() => received.reduce((sum, chunk) => sum + chunk.length, 0), { timeout: 10_000 })
      .toBeGreaterThan(message.length);
    const tunnelled = Buffer.from(bodyOf(Buffer.concat(received).toString("latin1")), "latin1");
    expect(tunnelled.equals(Buffer.concat([head, message]))).toBe(true);
  });

  test("a backend gets the head as it was, remade for its hop", async () => {
    await using cleanups = new Cleanups();
    const seen: string[] = [];
    const proxy = await startProxy(cleanups, { backends: [await startAnswering(cleanups, switchHead(), seen)] });
    rawClient(cleanups, proxy.port, handshakeHead(["X-Two: 1", "x-two: 2", "X-Forwarded-For: 6.6.6.6"]));
    await expect.poll(() => seen).toHaveLength(1);
    const lines = seen[0]!.split("\r\n");
    expect(lines[0]).toBe("GET /chat HTTP/1.1");
    expect(lines).toEqual(expect.arrayContaining(["Host: a.example", "X-Two: 1", "x-two: 2", "Upgrade: websocket"]));
    expect(lines.filter((line) => /^x-forwarded-for/i.test(line))).toEqual(["X-Forwarded-For: 127.0.0.1"]);
    expect(lines.filter((line) => /^connection:/i.test(line))).toEqual(["Connection: Upgrade"]);
  });

  test("a live tunnel follows the current rule of its name", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { backends: [await startAnswering(cleanups, switchHead())] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => proxy.leases()).toEqual([0, 1]);
    proxy.setEntries([entry({ name: "other", policy: { lifetimeMs: 20 } })]);
    proxy.setEntries([entry({ policy: { idleMs: 50 } })]);
    await expect.poll(() => bodyOf(client.text())).toBe("\x88\x02\x03\xe9");
    // Its own Close, as every client answers one.
    client.send("\x88\x82\0\0\0\0\x03\xe9");
    await expect.poll(() => proxy.seen.ended.map(({ end }) => end.cause), { timeout: 10_000 }).toEqual(["idle"]);
  });
});

describe("refusals of the backend", () => {
  test.for([
    {
      status: 401,
      reason: "Unauthorized",
      headers: ["WWW-Authenticate: Basic", "WWW-Authenticate: Bearer"],
      body: "who?",
    },
    { status: 403, reason: "Forbidden", headers: [], body: "no" },
    { status: 404, reason: "Not Here", headers: ["Set-Cookie: a=1", "Set-Cookie: b=2"], body: "" },
    {
      status: 426,
      reason: "Upgrade Required",
      headers: ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
      body: "13",
    },
    { status: 302, reason: "Found", headers: ["Location: /login"], body: "" },
  ])("$status passes with its headers and its body", async ({ status, reason, headers, body }) => {
    await using cleanups = new Cleanups();
    const answer = [`HTTP/1.1 ${status} ${reason}`, ...headers, `Content-Length: ${body.length}`, "", body].join(
      "\r\n",
    );
    const proxy = await startProxy(cleanups, { backends: [await startAnswering(cleanups, answer)] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    const got = await client.whole;
    expect(got.startsWith(`HTTP/1.1 ${status} ${reason}\r\n`)).toBe(true);
    for (const header of headers.filter((line) => !line.startsWith("Connection")))
      expect(got).toContain(`${header}\r\n`);
    expect(got).toMatch(/^connection: (Upgrade, )?close\r$/im);
    expect(got).not.toContain("holdfast-error");
    expect(bodyOf(got)).toBe(body);
    expect(client.end()).toBe("fin");
    expect(proxy.seen.forwarded).toMatchObject([{ status, upgrade: true, route: "apps/chat" }]);
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
  });

  test("a chunked body passes without its chunks", async () => {
    await using cleanups = new Cleanups();
    const answer = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    const proxy = await startProxy(cleanups, { backends: [await startAnswering(cleanups, answer)] });
    const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(bodyOf(got)).toBe("abcde");
    expect(got).not.toMatch(/transfer-encoding/i);
  });

  test("a body that breaks off never looks whole", async () => {
    await using cleanups = new Cleanups();
    const port = await startTcp(cleanups, (socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        socket.end();
      });
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await client.whole;
    expect(client.end()).toBe("ECONNRESET");
  });
});

describe("answers that are none", () => {
  test.for([
    { name: "a wrong Accept", answer: switchHead([], "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), code: "HF_BAD_SWITCH" },
    { name: "a subprotocol nobody offered", answer: switchHead(["Sec-WebSocket-Protocol: x"]), code: "HF_BAD_SWITCH" },
    { name: "an extension nobody offered", answer: switchHead(["Sec-WebSocket-Extensions: x"]), code: "HF_BAD_SWITCH" },
    { name: "a 101 without Upgrade", answer: "HTTP/1.1 101 Switching Protocols\r\n\r\n", code: "HF_BAD_SWITCH" },
    { name: "garbage", answer: "\x16\x03\x01\x02\x00", code: "HF_BACKEND_BAD_RESPONSE" },
    {
      name: "a head of 100 kB",
      answer: `HTTP/1.1 200 OK\r\nA: ${"x".repeat(100_000)}\r\n\r\n`,
      code: "HF_BACKEND_BAD_RESPONSE",
    },
    {
      name: "a body in an unknown coding",
      answer: "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: gzip\r\n\r\nabc",
      code: "HF_BACKEND_BAD_RESPONSE",
    },
    {
      name: "a status of two digits",
      answer: "HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
      code: "HF_BACKEND_BAD_RESPONSE",
    },
  ])("$name is a 502, and the client never sees a 101", async ({ answer, code }) => {
    await using cleanups = new Cleanups();
    let backend: Socket | undefined;
    const port = await startTcp(cleanups, (socket) => {
      backend = socket;
      socket.on("end", () => socket.end());
      socket.once("data", () => socket.write(answer, "latin1"));
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    const got = await client.whole;
    expect(got).toMatch(/^HTTP\/1\.1 502 /);
    expect(got).toContain(`holdfast-error: ${code}\r\n`);
    expect(got).not.toContain("HTTP/1.1 101");
    expect(proxy.seen.refused).toMatchObject([{ code, upgrade: true, route: "apps/chat", rule: "app" }]);
    await expect.poll(() => backend?.destroyed).toBe(true);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("a backend that closes before it has answered is a 502, and no other one is asked", async () => {
    await using cleanups = new Cleanups();
    let dials = 0;
    const serve = (socket: Socket): void => {
      dials++;
      socket.once("data", () => socket.end());
    };
    const proxy = await startProxy(cleanups, {
      backends: [await startTcp(cleanups, serve), await startTcp(cleanups, serve)],
    });
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain(
      "holdfast-error: HF_BACKEND_RESET\r\n",
    );
    expect(dials).toBe(1);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("interim answers are passed over", async () => {
    await using cleanups = new Cleanups();
    const answer = `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${switchHead()}${textFrame("hi", "backend")}`;
    const proxy = await startProxy(cleanups, { backends: [await startAnswering(cleanups, answer)] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => bodyOf(client.text())).toBe(textFrame("hi", "backend"));
    expect(client.text()).not.toContain("103");
  });
});

describe("backends that are not there", () => {
  test("a dead backend among three never costs a client its handshake", async () => {
    await using cleanups = new Cleanups();
    const answering = await startAnswering(cleanups, switchHead());
    const proxy = await startProxy(cleanups, { backends: [await closedPort(), await closedPort(), answering] });
    for (let i = 0; i < 6; i++) {
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      await expect.poll(() => client.text()).toMatch(/^HTTP\/1\.1 101 /);
    }
    expect(proxy.leases()).toEqual([0, 6]);
    expect(proxy.seen.refused).toEqual([]);
  });

  test("when all refuse, the answer says so and how many were tried", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { backends: [await closedPort(), await closedPort()] });
    const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(got).toMatch(/^HTTP\/1\.1 502 /);
    expect(got).toContain("holdfast-error: HF_DIAL_REFUSED\r\n");
    expect(bodyOf(got)).toContain("2 backends were tried");
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("without any backend it is a 503 with Retry-After", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups);
    const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(got).toMatch(/^HTTP\/1\.1 503 /);
    expect(got).toContain("holdfast-error: HF_NO_BACKEND\r\n");
    expect(got).toMatch(/^retry-after: 1\r$/im);
  });

  test("no answer within the rule's time is a 504", async () => {
    await using cleanups = new Cleanups();
    let backend: Socket | undefined;
    const port = await startTcp(cleanups, (socket) => {
      backend = socket;
      socket.on("end", () => socket.end()).resume();
    });
    const proxy = await startProxy(cleanups, { backends: [port], entries: [entry({ policy: { handshakeMs: 100 } })] });
    const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(got).toMatch(/^HTTP\/1\.1 504 /);
    expect(got).toContain("holdfast-error: HF_HANDSHAKE_TIMEOUT\r\n");
    await expect.poll(() => backend?.destroyed).toBe(true);
    expect(proxy.leases()).toEqual([0, 0]);
  });
});

describe("clients that leave", () => {
  test.for([
    { name: "by RST", leave: (socket: Socket) => void socket.resetAndDestroy() },
    { name: "by FIN", leave: (socket: Socket) => void socket.end() },
  ])("a client that leaves mid-handshake $name gives its lease back at once", async ({ leave }) => {
    await using cleanups = new Cleanups();
    let backend: Socket | undefined;
    const port = await startTcp(cleanups, (socket) => {
      backend = socket;
      socket.on("end", () => socket.end()).resume();
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => backend).toBeDefined();
    expect(proxy.leases()).toEqual([1, 0]);
    leave(client.socket);
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
    await expect.poll(() => backend?.destroyed).toBe(true);
    expect(proxy.server.pendingHandshakes).toBe(0);
    await expect.poll(() => proxy.server.openConnections).toBe(0);
  });
});
