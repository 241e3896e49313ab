import { expect, test } from "vitest";
import { Cleanups, handshakeHead, rawClient, startHttp, startProxy } from "./proxy.fixture.ts";

const H = "Host: a.example\r\n";

test.for([
  { name: "no Host is refused", send: "GET / HTTP/1.1\r\n\r\n", status: 400, code: "HF_BAD_HOST" },
  { name: "two Hosts are refused", send: `GET / HTTP/1.1\r\n${H}${H}\r\n`, status: 400, code: "HF_BAD_HOST" },
  {
    name: "two equal Content-Lengths are refused",
    send: `POST / HTTP/1.1\r\n${H}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "Content-Length before Transfer-Encoding is refused",
    send: `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "Transfer-Encoding before Content-Length is refused",
    send: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "a transfer coding beside chunked is refused",
    send: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "Transfer-Encoding in HTTP/1.0 is refused",
    send: `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "a folded header is refused",
    send: `GET / HTTP/1.1\r\n${H}A: b\r\n c\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "a space before the colon is refused",
    send: `GET / HTTP/1.1\r\n${H}A : b\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "NUL in a header is refused",
    send: `GET / HTTP/1.1\r\n${H}A: b\0c\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  { name: "NUL in the path is refused", send: `GET /a\0b HTTP/1.1\r\n${H}\r\n`, status: 400, code: "HF_BAD_REQUEST" },
  {
    name: "a bare CR in a header is refused",
    send: `GET / HTTP/1.1\r\n${H}A: b\rc\r\n\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "bare LF line ends are refused",
    send: "GET / HTTP/1.1\nHost: a.example\n\n",
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "a head of 100 kB is refused",
    send: `GET / HTTP/1.1\r\n${H}A: ${"x".repeat(100_000)}\r\n\r\n`,
    status: 431,
    code: "HF_HEAD_TOO_LARGE",
  },
  {
    name: "5,000 short headers are refused",
    send: `GET / HTTP/1.1\r\n${H}${"a:\r\n".repeat(5_000)}\r\n`,
    status: 431,
    code: "HF_HEAD_TOO_LARGE",
  },
  {
    name: "5,000 short headers in a handshake are refused",
    send: handshakeHead(Array<string>(5_000).fill("a:")),
    status: 431,
    code: "HF_HEAD_TOO_LARGE",
  },
  {
    name: "bytes of TLS are refused",
    send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "an HTTP/2 preface is refused",
    send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  { name: "HTTP/0.9 is refused", send: "GET /\r\n\r\n", status: 400, code: "HF_BAD_REQUEST" },
  {
    name: "HTTP/2.0 in a request line is refused",
    send: `GET / HTTP/2.0\r\n${H}\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  {
    name: "a malformed chunk is refused",
    send: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
  { name: "CONNECT is refused", send: `CONNECT b.example:443 HTTP/1.1\r\n${H}\r\n`, status: 501, code: "HF_METHOD" },
  {
    name: "a path of two readings is refused",
    send: `GET /a/../b HTTP/1.1\r\n${H}\r\n`,
    status: 400,
    code: "HF_BAD_PATH",
  },
  {
    name: "a handshake with a body is refused",
    send: `${handshakeHead(["Content-Length: 3"])}abc`,
    status: 400,
    code: "HF_UPGRADE_BODY",
  },
  {
    name: "a handshake by POST is refused",
    send: handshakeHead().replace("GET", "POST"),
    status: 405,
    code: "HF_UPGRADE_METHOD",
  },
  {
    name: "a handshake of version 8 is refused",
    send: handshakeHead().replace("Version: 13", "Version: 8"),
    status: 426,
    code: "HF_UPGRADE_VERSION",
  },
  {
    name: "a handshake sent ahead of an answer is refused",
    send: `GET /wait HTTP/1.1\r\n${H}\r\n${handshakeHead()}`,
    status: 400,
    code: "HF_BAD_REQUEST",
  },
])("$name, and harms nobody", async ({ send, status, code }) => {
  await using cleanups = new Cleanups();
  const backend = await startHttp(cleanups, (request, response) => {
    if (request.url !== "/wait") response.end("fine");
  });
  const proxy = await startProxy(cleanups, { backends: [backend.port] });
  const other = rawClient(cleanups, proxy.port, `GET / HTTP/1.1\r\n${H}`);
  const client = rawClient(cleanups, proxy.port, send);
  const answer = await client.whole;
  expect(answer).toMatch(/^connection: (.*, )?close\r$/im);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toContain(`holdfast-error: ${code}\r\n`);
  expect(answer.match(/^HTTP\//gm)).toHaveLength(1);
  expect(client.end()).toBe("fin");
  expect(proxy.seen.refused.map((refused) => refused.code)).toEqual([code]);
  other.send("Connection: close\r\n\r\n");
  expect(await other.whole).toContain("fine");
  await expect.poll(() => proxy.leases()).toEqual([0, 0]);
});

test("the answer reaches a client that goes on sending what nobody reads", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups, { limits: { lingerMs: 2_000 } });
  const client = rawClient(cleanups, proxy.port, `GET / HTTP/1.1\r\n${H}A: `);
  for (let i = 0; i < 64; i++) client.send("x".repeat(65_536));
  expect(await client.whole).toContain("431 ");
  expect(client.end()).toBe("fin");
});

test("a wrong version is told the right one", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups);
  const answer = await rawClient(cleanups, proxy.port, handshakeHead().replace("Version: 13", "Version: 8")).whole;
  expect(answer).toMatch(/^sec-websocket-version: 13\r$/im);
  expect(answer).toMatch(/^upgrade: websocket\r$/im);
  expect(answer).toMatch(/^connection: Upgrade, close\r$/im);
});

test("1,000 connections that say nothing are dropped at the header timeout while a client is served", async () => {
  await using cleanups = new Cleanups();
  const backend = await startHttp(cleanups, (_request, response) => void response.end("fine"));
  const proxy = await startProxy(cleanups, { backends: [backend.port], limits: { headerTimeoutMs: 2_000 } });
  const silent = Array.from({ length: 1_000 }, () => rawClient(cleanups, proxy.port));
  await expect.poll(() => proxy.server.openConnections, { timeout: 10_000, interval: 5 }).toBe(1_000);
  const served = rawClient(cleanups, proxy.port, `GET / HTTP/1.1\r\n${H}Connection: close\r\n\r\n`);
  expect(await served.whole).toContain("fine");
  const answers = await Promise.all(silent.map((client) => client.whole));
  expect(answers.filter((answer) => answer.startsWith("HTTP/1.1 408 "))).toHaveLength(1_000);
  await expect.poll(() => proxy.server.openConnections).toBe(0);
});
