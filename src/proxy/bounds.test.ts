import { expect, test } from "vitest";
import {
  Cleanups,
  handshakeHead,
  rawClient,
  type RawClient,
  startAnswering,
  startHttp,
  startProxy,
  type StartedProxy,
  startTcp,
  switchHead,
  textFrame,
} from "./proxy.fixture.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const NO_BOUND = {
  maxTunnels: Infinity,
  maxConnections: Infinity,
  buffers: { isExhausted: false },
  drain: { isDraining: false, isRefusing: false },
};

async function opened(cleanups: Cleanups, proxy: StartedProxy): Promise<RawClient> {
  const client = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => client.text()).toContain(" 101 ");
  return client;
}

function answer(status: number, code: string, retryAfter: number): RegExp {
  return new RegExp(
    `^HTTP/1\\.1 ${status} [^]*\\r\\nretry-after: ${retryAfter}\\r\\n[^]*\\r\\nholdfast-error: ${code}\\r\\n`,
  );
}

test("while buffers are full no handshake begins, and no backend hears of it; what is open goes on", async () => {
  await using cleanups = new Cleanups();
  const heads: string[] = [];
  const echo = await startAnswering(cleanups, switchHead(), heads);
  const buffers = { isExhausted: false };
  const proxy = await startProxy(cleanups, { backends: [echo], bounds: { ...NO_BOUND, buffers } });
  const tunnel = await opened(cleanups, proxy);

  buffers.isExhausted = true;
  const refused = rawClient(cleanups, proxy.port, handshakeHead());
  expect(await refused.whole).toMatch(answer(503, "HF_BUFFERS_FULL", 5));
  expect(heads).toHaveLength(1);
  expect(proxy.leases()).toEqual([0, 1]);
  expect(proxy.seen.refused).toMatchObject([{ code: "HF_BUFFERS_FULL", status: 503, upgrade: true }]);
  tunnel.send(textFrame("still here", "client"));
  await expect.poll(() => tunnel.text()).toContain("still here");
  const plain = await startHttp(cleanups, (_request, response) => response.end("fine"));
  proxy.setBackends([plain.port]);
  const request = rawClient(cleanups, proxy.port, GET);
  await expect.poll(() => request.text()).toContain("fine");

  buffers.isExhausted = false;
  proxy.setBackends([echo]);
  await opened(cleanups, proxy);
});

test("while the process is drained no handshake begins; what is open, and plain requests, go on", async () => {
  await using cleanups = new Cleanups();
  const echo = await startAnswering(cleanups, switchHead());
  const drain = { isDraining: true, isRefusing: false };
  const proxy = await startProxy(cleanups, { backends: [echo], bounds: { ...NO_BOUND, drain } });
  const tunnel = await opened(cleanups, proxy);
  const last = rawClient(cleanups, proxy.port, GET);
  // Answered, as the last of its connection.
  expect(await last.whole).toMatch(/\r\nconnection: close\r\n/i);
  drain.isRefusing = true;
  expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toMatch(answer(503, "HF_DRAINING", 5));
  tunnel.send(textFrame("still here", "client"));
  await expect.poll(() => tunnel.text()).toContain("still here");
  const plain = await startHttp(cleanups, (_request, response) => response.end("fine"));
  proxy.setBackends([plain.port]);
  const request = rawClient(cleanups, proxy.port, GET);
  await expect.poll(() => request.text()).toContain("fine");
  Object.assign(drain, { isDraining: false, isRefusing: false });
  const kept = rawClient(cleanups, proxy.port, GET);
  await expect.poll(() => kept.text()).toMatch(/\r\nconnection: keep-alive\r\n/i);
  proxy.setBackends([echo]);
  await opened(cleanups, proxy);
});

test("nothing is dialled for a handshake that cannot begin", async () => {
  await using cleanups = new Cleanups();
  let connections = 0;
  const backend = await startTcp(cleanups, (socket) => {
    connections += 1;
    socket.resume();
  });
  const proxy = await startProxy(cleanups, {
    backends: [backend],
    bounds: { ...NO_BOUND, buffers: { isExhausted: true } },
  });
  for (let again = 0; again < 20; again += 1) {
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain("HF_BUFFERS_FULL");
  }
  expect(connections).toBe(0);
});

test("no more tunnels than there may be; when one has ended the next is let in", async () => {
  await using cleanups = new Cleanups();
  const echo = await startAnswering(cleanups, switchHead());
  const proxy = await startProxy(cleanups, { backends: [echo], bounds: { ...NO_BOUND, maxTunnels: 2 } });
  const first = await opened(cleanups, proxy);
  await opened(cleanups, proxy);
  for (let again = 0; again < 2; again += 1) {
    const refused = rawClient(cleanups, proxy.port, handshakeHead());
    expect(await refused.whole).toMatch(answer(503, "HF_TOO_MANY_TUNNELS", 10));
  }
  expect(proxy.server.tunnels.size).toBe(2);
  expect(proxy.server.pendingHandshakes).toBe(0);
  first.socket.destroy();
  // Its backend does not answer the Close by which it hears of it, and is waited for.
  await expect.poll(() => proxy.server.tunnels.size, { timeout: 10_000 }).toBe(1);
  await opened(cleanups, proxy);
});

test("handshakes under way count as the tunnels that they may become", async () => {
  await using cleanups = new Cleanups();
  const waiting: (() => void)[] = [];
  const slow = await startTcp(cleanups, (socket) => {
    socket.on("end", () => socket.end());
    socket.once("data", () => waiting.push(() => socket.write(switchHead(), "latin1")));
  });
  const proxy = await startProxy(cleanups, { backends: [slow], bounds: { ...NO_BOUND, maxTunnels: 1 } });
  const first = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => waiting.length).toBe(1);
  const refused = rawClient(cleanups, proxy.port, handshakeHead());
  expect(await refused.whole).toMatch(answer(503, "HF_TOO_MANY_TUNNELS", 10));
  waiting[0]?.();
  await expect.poll(() => first.text()).toContain(" 101 ");
  expect(waiting).toHaveLength(1);
});

test("a handshake that failed or was given up leaves its place", async () => {
  await using cleanups = new Cleanups();
  const refusing = await startAnswering(cleanups, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  const silent = await startTcp(cleanups, (socket) => void socket.resume());
  const echo = await startAnswering(cleanups, switchHead());
  const proxy = await startProxy(cleanups, { backends: [refusing], bounds: { ...NO_BOUND, maxTunnels: 1 } });
  expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain(" 403 ");
  proxy.setBackends([silent]);
  const given = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => proxy.server.pendingHandshakes).toBe(1);
  given.socket.destroy();
  await expect.poll(() => proxy.server.pendingHandshakes).toBe(0);
  proxy.setBackends([echo]);
  await opened(cleanups, proxy);
});

test("a connection too many hears why at once; far too many are closed; all go again", async () => {
  await using cleanups = new Cleanups();
  const echo = await startAnswering(cleanups, switchHead());
  const proxy = await startProxy(cleanups, {
    backends: [echo],
    limits: { lingerMs: 10_000 },
    bounds: { ...NO_BOUND, maxConnections: 3 },
  });
  const tunnel = await opened(cleanups, proxy);
  const idle = [rawClient(cleanups, proxy.port), rawClient(cleanups, proxy.port)];
  await expect.poll(() => proxy.server.openConnections).toBe(3);

  const late = rawClient(cleanups, proxy.port);
  expect(await late.whole).toMatch(answer(503, "HF_TOO_MANY_CONNECTIONS", 10));
  const stubborn = Array.from({ length: 40 }, () => {
    const client = rawClient(cleanups, proxy.port);
    client.socket.removeAllListeners("end");
    return client;
  });
  await expect.poll(() => proxy.seen.refused.length).toBe(41);
  await expect.poll(() => proxy.server.openConnections).toBe(3 + 16);
  tunnel.send(textFrame("still here", "client"));
  await expect.poll(() => tunnel.text()).toContain("still here");

  for (const client of [...stubborn, ...idle]) client.socket.destroy();
  await expect.poll(() => proxy.server.openConnections).toBe(1);
  await opened(cleanups, proxy);
});

test("a connection too many that sends its handshake all the same gets one answer and no tunnel", async () => {
  await using cleanups = new Cleanups();
  const heads: string[] = [];
  const echo = await startAnswering(cleanups, switchHead(), heads);
  const proxy = await startProxy(cleanups, { backends: [echo], bounds: { ...NO_BOUND, maxConnections: 0 } });
  for (const head of [handshakeHead(), GET, handshakeHead(["X-Long: " + "a".repeat(10_000)])]) {
    const text = await rawClient(cleanups, proxy.port, head).whole;
    expect(text).toMatch(answer(503, "HF_TOO_MANY_CONNECTIONS", 10));
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  }
  expect(heads).toEqual([]);
  expect(proxy.server.pendingHandshakes).toBe(0);
  await expect.poll(() => proxy.server.openConnections).toBe(0);
});
