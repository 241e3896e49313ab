import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import {
  atRest,
  Cleanups,
  handshakeHead,
  pour,
  rawClient,
  startAnswering,
  startHttp,
  startProxy,
  startTcp,
  switchHead,
} from "./proxy.fixture.ts";

const LIMITS = { slowReaderMs: 500 };

describe("a backend's refusal of a handshake", () => {
  test("that never ends is cut, and its lease is given back", async () => {
    await using cleanups = new Cleanups();
    const port = await startAnswering(cleanups, "HTTP/1.1 403 Forbidden\r\n\r\nabc");
    const proxy = await startProxy(cleanups, { backends: [port], limits: LIMITS });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    expect(await client.whole).toContain("abc");
    expect(client.end()).toBe("ECONNRESET");
    await expect.poll(() => [proxy.leases(), proxy.server.openConnections]).toEqual([[0, 0], 0]);
  });

  test("that is never read is cut, and its lease is given back", async () => {
    await using cleanups = new Cleanups();
    const bytes = 32 * 1024 * 1024;
    let taken = (): number => 0;
    const port = await startTcp(cleanups, (socket) => {
      socket.on("end", () => socket.end());
      socket.once("data", () => {
        socket.write(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${bytes}\r\n\r\n`);
        taken = pour(socket, bytes);
      });
    });
    const proxy = await startProxy(cleanups, { backends: [port], limits: LIMITS });
    rawClient(cleanups, proxy.port, handshakeHead()).socket.pause();
    await expect.poll(atRest(() => taken())).toBe(true);
    await expect.poll(() => [proxy.leases(), proxy.server.openConnections], { timeout: 5_000 }).toEqual([[0, 0], 0]);
  });
});

test("a last answer that is never read to its end does not keep the connection", async () => {
  await using cleanups = new Cleanups();
  const body = Buffer.alloc(32 * 1024 * 1024);
  let backend: Socket | undefined;
  const { port } = await startHttp(cleanups, (request, response) => {
    backend = request.socket;
    response.end(body);
  });
  const proxy = await startProxy(cleanups, { backends: [port], limits: LIMITS });
  const head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const client = rawClient(cleanups, proxy.port, head);
  client.socket.pause();
  await expect.poll(() => backend?.bytesWritten ?? 0).toBeGreaterThan(0);
  // Read until the proxy has it all and only the end of it still waits for us.
  const read = (): void => void client.socket.read();
  client.socket.on("readable", () => {
    if (proxy.leases()[0] > 0) read();
  });
  await expect.poll(() => proxy.leases()).toEqual([0, 0]);
  await expect.poll(() => proxy.server.openConnections, { timeout: 5_000 }).toBe(0);
});

test("early bytes that come one by one are bounded by their number as well, and none is lost", async () => {
  await using cleanups = new Cleanups();
  const received: Buffer[] = [];
  let backend: Socket | undefined;
  const port = await startTcp(cleanups, (socket) => {
    backend = socket;
    socket.on("data", (chunk) => void received.push(chunk));
  });
  const proxy = await startProxy(cleanups, { backends: [port] });
  const client = rawClient(cleanups, proxy.port, handshakeHead());
  client.socket.setNoDelay(true);
  await expect.poll(() => String(Buffer.concat(received))).toContain("\r\n\r\n");
  let sent = 0;
  // Each byte waits for the kernel and a turn of the event loop, so that each is read by itself.
  await new Promise<void>((resolve) => {
    const next = (): void => {
      if (++sent > 3_000) resolve();
      else client.socket.write("x", () => setImmediate(next));
    };
    next();
  });
  backend!.write(switchHead(), "latin1");
  await expect.poll(() => Buffer.concat(received).toString("latin1").match(/x+$/)?.[0].length).toBe(3_000);
});
