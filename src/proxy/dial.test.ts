import { type AddressInfo, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { TimerWheel } from "../relay/index.ts";
import { dial, type DialResult } from "./dial.ts";
import {
  Cleanups,
  closedPort,
  entry,
  handshakeHead,
  rawClient,
  startProxy,
  startTcp,
  switchHead,
} from "./proxy.fixture.ts";

/** A wheel that stands still until it is told the time. */
function standingWheel(): TimerWheel {
  return new TimerWheel({ now: () => 0, tickMs: 10 });
}

test("no answer in time is a timeout, told once, and leaves neither timer nor socket", async () => {
  await using cleanups = new Cleanups();
  const accepted: Socket[] = [];
  const port = await startTcp(cleanups, (socket) => void accepted.push(socket.resume()));
  const wheel = standingWheel();
  const results: DialResult[] = [];
  dial({ address: "127.0.0.1", port }, { wheel, timeoutMs: 3_000, isForbidden: undefined }, (result) =>
    results.push(result),
  );
  wheel.advance(2_999);
  expect(results).toEqual([]);
  // Before the event loop could hear of the connection.
  wheel.advance(3_020);
  expect(results).toEqual([{ failure: "timeout", reason: "no answer in time" }]);
  expect(wheel.size).toBe(0);
  // The kernel may have made the connection nevertheless: then it is closed.
  const another = await new Promise<DialResult>((done) => {
    dial({ address: "127.0.0.1", port }, { wheel, timeoutMs: 3_000, isForbidden: undefined }, done);
  });
  if ("socket" in another) another.socket.destroy();
  await expect.poll(() => accepted.length > 0 && accepted.every((socket) => socket.readableEnded)).toBe(true);
  expect(results).toHaveLength(1);
  expect(wheel.size).toBe(0);
});

test("a refused dial is told once and leaves no timer", async () => {
  const wheel = standingWheel();
  const port = await closedPort();
  const result = await new Promise<DialResult>((done) => {
    dial({ address: "127.0.0.1", port }, { wheel, timeoutMs: 3_000, isForbidden: undefined }, done);
  });
  expect(result).toEqual({ failure: "refused", reason: "ECONNREFUSED" });
  expect(wheel.size).toBe(0);
});

test("a dial that is given up says nothing and leaves no timer", async () => {
  await using cleanups = new Cleanups();
  const port = await startTcp(cleanups, (socket) => void socket.resume());
  const wheel = standingWheel();
  const results: DialResult[] = [];
  const giveUp = dial({ address: "127.0.0.1", port }, { wheel, timeoutMs: 3_000, isForbidden: undefined }, (result) =>
    results.push(result),
  );
  giveUp();
  giveUp();
  wheel.advance(10_000);
  expect([results, wheel.size]).toEqual([[], 0]);
});

test("a forbidden target is told once and later than the dial returns, and not when it was given up", async () => {
  const wheel = standingWheel();
  const results: DialResult[] = [];
  const options = { wheel, timeoutMs: 3_000, isForbidden: () => "a loopback address" };
  const target = { address: "127.0.0.1", port: await closedPort() };
  dial(target, options, (result) => results.push(result))();
  dial(target, options, (result) => results.push(result));
  expect(results).toEqual([]);
  await expect.poll(() => results).toEqual([{ failure: "forbidden", reason: "a loopback address" }]);
  expect(wheel.size).toBe(0);
});

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));

test.skipIf(!hasIPv6)("a backend on IPv6 gets tunnels and plain requests", async () => {
  await using cleanups = new Cleanups();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (head) => {
      const isUpgrade = head.toString("latin1").includes("Sec-WebSocket-Key");
      socket.write(isUpgrade ? switchHead() : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsix", "latin1");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
  cleanups.add(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const proxy = await startProxy(cleanups, { backends: [{ address: "::1", port }], entries: [entry()] });
  const client = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => client.text()).toMatch(/^HTTP\/1\.1 101 /);
  expect(proxy.seen.opened[0]?.backend).toBe(`[::1]:${port}`);
  const plain = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(await plain.whole).toMatch(/six$/);
});
