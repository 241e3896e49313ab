import { describe, expect, test } from "vitest";
import {
  atRest,
  Cleanups,
  handshakeHead,
  pour,
  rawClient,
  startAnswering,
  startProxy,
  startTcp,
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
