import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import {
  Cleanups,
  handshakeHead,
  rawClient,
  startAnswering,
  startHttp,
  startProxy,
  switchHead,
} from "./proxy.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

test("whoever sends nothing is told so when the time for a head is over, and not before", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups, { limits: { headerTimeoutMs: 400 } });
  const openedAtMs = performance.now();
  const client = rawClient(cleanups, proxy.port);
  expect(await client.whole).toMatch(/^HTTP\/1\.1 408 [^]*holdfast-error: HF_REQUEST_TIMEOUT\r\n/i);
  expect(performance.now() - openedAtMs).toBeGreaterThan(390);
  await expect.poll(() => proxy.server.openConnections).toBe(0);
  expect(proxy.seen.refused).toMatchObject([{ code: "HF_REQUEST_TIMEOUT", clientAddress: "127.0.0.1" }]);
});

test("whoever goes without a word gets no answer, and nothing of him stays", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups);
  const ends = rawClient(cleanups, proxy.port);
  const resets = rawClient(cleanups, proxy.port);
  await expect.poll(() => proxy.server.openConnections).toBe(2);
  ends.socket.end();
  resets.socket.resetAndDestroy();
  expect(await ends.whole).toBe("");
  await expect.poll(() => proxy.server.openConnections).toBe(0);
  expect(proxy.seen.refused).toEqual([]);
});

test("a listener that stops ends who has sent nothing yet", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups);
  const client = rawClient(cleanups, proxy.port);
  await expect.poll(() => proxy.server.openConnections).toBe(1);
  proxy.server.stopListening();
  expect(await client.whole).toBe("");
});

test("a handshake in pieces, one that follows a plain request, and one whole are answered alike", async () => {
  await using cleanups = new Cleanups();
  const http = await startHttp(cleanups, (_request, response) => response.end("plain"));
  const proxy = await startProxy(cleanups, { backends: [http.port] });
  const second = rawClient(cleanups, proxy.port, GET);
  await expect.poll(() => second.text()).toContain("plain");
  proxy.setBackends([await startAnswering(cleanups, switchHead())]);
  const whole = rawClient(cleanups, proxy.port, handshakeHead());
  const before = second.text().length;
  second.send(handshakeHead());
  const pieces = rawClient(cleanups, proxy.port);
  for (const byte of handshakeHead()) {
    pieces.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expect.poll(() => whole.text()).toMatch(/^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  await expect.poll(() => pieces.text()).toBe(whole.text());
  await expect.poll(() => second.text().slice(before)).toBe(whole.text());
});

test("requests sent ahead in the first chunk are answered in their order", async () => {
  await using cleanups = new Cleanups();
  const backend = await startHttp(cleanups, (request, response) => response.end(`[${request.url}]`));
  const proxy = await startProxy(cleanups, { backends: [backend.port] });
  const ahead = ["/a", "/b", "/c"].map((path) => GET.replace("/ ", `${path} `)).join("");
  const client = rawClient(cleanups, proxy.port, ahead);
  await expect.poll(() => client.text().match(/\[\/.\]/g)).toEqual(["[/a]", "[/b]", "[/c]"]);
});

test("a body that begins in the first chunk arrives whole and in order", async () => {
  await using cleanups = new Cleanups();
  const backend = await startHttp(cleanups, (request, response) => {
    const hash = createHash("sha256");
    request.on("data", (chunk: Buffer) => hash.update(chunk)).on("end", () => response.end(hash.digest("hex")));
  });
  const proxy = await startProxy(cleanups, { backends: [backend.port] });
  for (const size of [1, 60_000, 65_536, 65_600, 1_000_000, 5_000_000]) {
    const body = randomBytes(size);
    const head = `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n`;
    const client = rawClient(cleanups, proxy.port);
    client.send(Buffer.concat([Buffer.from(head), body]));
    await expect.poll(() => client.text()).toContain(createHash("sha256").update(body).digest("hex"));
  }
});
