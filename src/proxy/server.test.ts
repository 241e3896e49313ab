import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import {
  Cleanups,
  handshakeHead,
  rawClient,
  startAnswering,
  startHttp,
  startProxy,
  startTcp,
  switchHead,
  textFrame,
} from "./proxy.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

test("a listener that stops serves what is there, says that it is the last, and ends what is idle", async () => {
  await using cleanups = new Cleanups();
  let answer: () => void = () => {};
  const backend = await startHttp(cleanups, (request, response) => {
    if (request.url === "/wait") answer = () => response.end("late");
    else response.end("fine");
  });
  const echo = await startAnswering(cleanups, switchHead());
  const proxy = await startProxy(cleanups, { backends: [backend.port] });
  const idle = rawClient(cleanups, proxy.port, GET);
  await expect.poll(() => idle.text()).toContain("fine");
  const busy = rawClient(cleanups, proxy.port, GET.replace("/ ", "/wait "));
  await expect.poll(() => proxy.server.openRequests).toBe(1);
  proxy.setBackends([echo]);
  const tunnel = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => tunnel.text()).toContain(" 101 ");
  const begun = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a.ex");
  await expect.poll(() => proxy.server.openConnections).toBe(4);

  proxy.server.stopListening();
  await idle.whole;
  expect(idle.end()).toBe("fin");
  answer();
  expect(await busy.whole).toContain("late");
  begun.send("ample\r\n\r\n");
  expect(await begun.whole).toMatch(/^HTTP\/1\.1 502 [^]*connection: close\r\n/i);
  const late = rawClient(cleanups, proxy.port, GET);
  await late.whole;
  expect(late.end()).toBe("ECONNREFUSED");
  tunnel.send(textFrame("still here", "client"));
  await expect.poll(() => tunnel.text()).toContain("still here");
  expect(proxy.server.tunnels.size).toBe(1);
});

test("one that leaves goes on with all there is, and keeps no connection open behind an answer", async () => {
  await using cleanups = new Cleanups();
  const backend = await startHttp(cleanups, (_request, response) => response.end("fine"));
  const echo = await startAnswering(cleanups, switchHead());
  const proxy = await startProxy(cleanups, { backends: [backend.port] });
  const kept = rawClient(cleanups, proxy.port, GET);
  await expect.poll(() => kept.text()).toContain("fine");
  proxy.server.leave();
  kept.send(GET);
  expect(await kept.whole).toMatch(/keep-alive[^]*fine[^]*\r\nconnection: close\r\n[^]*fine$/i);
  expect(await rawClient(cleanups, proxy.port, GET).whole).toMatch(/\r\nconnection: close\r\n/i);
  proxy.setBackends([echo]);
  const tunnel = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => tunnel.text()).toContain(" 101 ");
  tunnel.send(textFrame("here", "client"));
  await expect.poll(() => tunnel.text()).toContain("here");
});

test("connections that never send their head are still dropped after the listener stopped", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups, { limits: { headerTimeoutMs: 300 } });
  const client = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\n");
  await expect.poll(() => proxy.server.openConnections).toBe(1);
  proxy.server.stopListening();
  expect(await client.whole).toMatch(/^HTTP\/1\.1 408 /);
});

test("an address that is taken is an error", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups);
  const other = await startProxy(cleanups);
  await other.server.close();
  await expect(other.server.listen({ host: "127.0.0.1", port: proxy.port })).rejects.toThrow("EADDRINUSE");
});

test("start, all kinds of traffic and close leave no descriptor behind", async () => {
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  for (let round = 0; round < 3; round++) {
    await using cleanups = new Cleanups();
    const backend = await startHttp(cleanups, (request, response) => {
      if (request.url === "/") response.end("fine");
      else response.write("never done");
    });
    const stalled: Socket[] = [];
    const stalling = await startTcp(cleanups, (socket) => void stalled.push(socket.resume()));
    const echo = await startAnswering(cleanups, switchHead());
    const proxy = await startProxy(cleanups, { backends: [backend.port] });
    rawClient(cleanups, proxy.port);
    const kept = rawClient(cleanups, proxy.port, GET);
    const streaming = rawClient(cleanups, proxy.port, GET.replace("/ ", "/stream "));
    await expect.poll(() => kept.text()).toContain("fine");
    await expect.poll(() => streaming.text()).toContain("never done");
    proxy.setBackends([stalling]);
    rawClient(cleanups, proxy.port, handshakeHead());
    rawClient(cleanups, proxy.port, GET);
    await expect.poll(() => stalled.length).toBe(2);
    proxy.setBackends([echo]);
    const tunnel = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => tunnel.text()).toContain(" 101 ");
    await proxy.server.close();
    expect(proxy.server.openConnections).toBe(0);
    expect(proxy.server.tunnels.size).toBe(0);
    expect(proxy.leases()).toEqual([0, 0]);
  }
  await expect.poll(descriptors, { timeout: 5_000 }).toBeLessThanOrEqual(before);
});
