import { createHash } from "node:crypto";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { type HoldfastProcess, proxyTo } from "./fixtures/holdfast.ts";
import { descriptors, residentBytes } from "./fixtures/process-facts.ts";
import { dialRaw, exchange } from "./fixtures/raw.ts";

const UPGRADE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** A client whose tunnel must outlive whatever the others do. */
async function witness(http: string): Promise<{ answer: (text: string) => Promise<string>; socket: WebSocket }> {
  const socket = new WebSocket(`ws://${http}/`);
  await once(socket, "open");
  return {
    socket,
    answer: async (text) => {
      socket.send(text);
      const [reply] = (await once(socket, "message")) as [Buffer];
      return reply.toString();
    },
  };
}

describe("hostile clients", () => {
  let backend: ArticleBackend;
  let holdfast: HoldfastProcess;
  let http: string;
  beforeAll(async () => {
    backend = await ArticleBackend.start(0);
    ({ holdfast, http } = await proxyTo([`127.0.0.1:${backend.port}`], ["--header-timeout", "2s"]));
  });
  afterAll(async () => {
    await holdfast[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });

  test.for([
    { name: "two Hosts", bytes: "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", status: 400 },
    { name: "two equal Hosts", bytes: "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", status: 400 },
    { name: "no Host", bytes: "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", status: 400 },
    {
      name: "Content-Length with Transfer-Encoding",
      bytes: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      status: 400,
    },
    {
      name: "two different Content-Lengths",
      bytes: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      status: 400,
    },
    {
      name: "two equal Content-Lengths",
      bytes: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
      status: 400,
    },
    {
      name: "a Content-Length that is no number",
      bytes: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
      status: 400,
    },
    { name: "a folded header line", bytes: "GET / HTTP/1.1\r\nHost: a\r\nX-Long: one\r\n two\r\n\r\n", status: 400 },
    {
      name: "a space before the colon",
      bytes: "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
      status: 400,
    },
    { name: "a NUL in a header", bytes: "GET / HTTP/1.1\r\nHost: a\r\nX-Nul: a\0b\r\n\r\n", status: 400 },
    { name: "a NUL in the path", bytes: "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
    {
      name: "a bare line feed hidden in a header",
      bytes: "GET / HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
      status: 400,
    },
    {
      name: "100 kB of head",
      bytes: `GET / HTTP/1.1\r\nHost: a\r\nX-Big: ${"b".repeat(100_000)}\r\n\r\n`,
      status: 431,
    },
    { name: "a request line of 100 kB", bytes: `GET /${"p".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, status: 431 },
    {
      name: "garbage bytes",
      bytes: Uint8Array.from({ length: 4096 }, (_, index) => (index * 197 + 13) % 256),
      status: 400,
    },
    {
      name: "a TLS ClientHello",
      bytes: Uint8Array.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 7, 7, 7, 7]),
      status: 400,
    },
    { name: "dot segments", bytes: "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
    { name: "encoded dot segments", bytes: "GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
    { name: "an encoded slash", bytes: "GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
    { name: "a backslash", bytes: "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", status: 400 },
    {
      name: "a handshake with a body",
      bytes: `GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE}Content-Length: 5\r\n\r\nhello`,
      status: 400,
    },
    {
      name: "a handshake with a chunked body",
      bytes: `GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      name: "a handshake of version 8",
      bytes: `GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE.replace("13", "8")}\r\n`,
      status: 426,
    },
    {
      name: "a handshake with a short key",
      bytes: `GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE.replace("AAAAAAAA", "A")}\r\n`,
      status: 400,
    },
    { name: "CONNECT", bytes: "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n", status: 501 },
  ])("$name gets its answer and harms nobody", async ({ bytes, status }) => {
    const { answer, socket } = await witness(http);
    const reply = await exchange(http, bytes);
    expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(reply.toLowerCase()).toContain("holdfast-error: hf_");
    expect(reply).toMatch(/\r\nDate: [A-Z][a-z]{2}, \d\d /);
    expect(reply.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(await answer("still here")).toBe("Server received from client: still here");
    socket.terminate();
  });

  test("1,000 connections that say nothing are dropped at the header timeout, and a real client is served meanwhile", async () => {
    const before = descriptors(holdfast.process.pid);
    const silent: Socket[] = await Promise.all(Array.from({ length: 1_000 }, () => dialRaw(http)));
    const ended = Promise.all(
      silent.map(async (socket) => {
        socket.removeAllListeners("error");
        socket.on("error", () => {});
        socket.resume();
        await once(socket, "close");
      }),
    );
    const { answer, socket } = await witness(http);
    for (let round = 0; round < 10; round++) expect(await answer(`round ${round}`)).toContain(`round ${round}`);
    await ended;
    expect(await answer("after")).toContain("after");
    socket.terminate();
    await expect.poll(() => descriptors(holdfast.process.pid), { timeout: 10_000 }).toBeLessThanOrEqual(before + 4);
  });

  test("a client that stops reading bounds what is taken from its backend, and gets everything once it reads", async () => {
    const total = 256 * 1024 * 1024;
    let written = 0;
    const source = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (head: Buffer) => {
        const key = /Sec-WebSocket-Key: (.*)\r\n/i.exec(head.toString())?.[1] ?? "";
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        const header = Buffer.alloc(10);
        header.writeUInt16BE(0x827f, 0);
        header.writeBigUInt64BE(BigInt(total), 2);
        socket.write(header);
        const block = Buffer.alloc(64 * 1024, 7);
        const pump = (): void => {
          while (written < total) {
            written += block.length;
            if (!socket.write(block)) break;
          }
        };
        socket.on("drain", pump);
        pump();
      });
    });
    source.listen(0, "127.0.0.1");
    await once(source, "listening");
    const proxy = await proxyTo([`127.0.0.1:${(source.address() as AddressInfo).port}`]);
    await using _ = proxy.holdfast;
    const socket = await dialRaw(proxy.http);
    socket.removeAllListeners("error");
    socket.on("error", () => {});
    socket.pause();
    const { pid } = proxy.holdfast.process;
    const before = residentBytes(pid);
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${UPGRADE}\r\n`);
    // What is written stops growing when every buffer on the way is full.
    let last = -1;
    await expect
      .poll(
        () => {
          const still = written > 0 && written === last;
          last = written;
          return still;
        },
        { interval: 500, timeout: 30_000 },
      )
      .toBe(true);
    expect(written).toBeLessThan(64 * 1024 * 1024);
    expect(residentBytes(pid) - before).toBeLessThan(48 * 1024 * 1024);
    let received = 0;
    socket.on("data", (chunk: Buffer) => (received += chunk.length));
    socket.resume();
    await expect.poll(() => received, { timeout: 60_000 }).toBeGreaterThanOrEqual(total);
    expect(residentBytes(pid) - before).toBeLessThan(128 * 1024 * 1024);
    socket.destroy();
    source.close();
  });

  test("many opened and closed tunnels and requests leave no descriptor behind", async () => {
    await exchange(http, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const before = descriptors(holdfast.process.pid);
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const { answer, socket } = await witness(http);
          await answer("x");
          if (index % 2 === 0) socket.close(1000);
          else socket.terminate();
          await exchange(http, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        }),
      );
    }
    // Idle keep-alive connections to backends may stay: one for each request that was under way at once.
    await expect.poll(() => descriptors(holdfast.process.pid), { timeout: 10_000 }).toBeLessThanOrEqual(before + 20);
  });
});
