import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import type { RetryPolicy } from "../routing/index.ts";
import {
  Cleanups,
  closedPort,
  entry,
  handshakeHead,
  rawClient,
  type RuleOptions,
  startAnswering,
  startHttp,
  startProxy,
  startTcp,
  switchHead,
} from "./proxy.fixture.ts";

/** The machine may be busy with other tests. */
const PATIENT = { timeout: 10_000 };

const PLAIN = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
const UNAVAILABLE = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull";
const BAD_GATEWAY = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad";

function retrying(retry: Partial<RetryPolicy>, policy: RuleOptions["policy"] = {}): ReturnType<typeof entry> {
  return entry({ policy: { ...policy, retry: { on: ["Connect"], attempts: 1, budgetPercent: 20, ...retry } } });
}

/** A backend that does not answer; counts who asked, and can answer later. */
async function startSilent(cleanups: Cleanups): Promise<{ port: number; asked: Socket[] }> {
  const asked: Socket[] = [];
  const port = await startTcp(cleanups, (socket) => {
    socket.on("end", () => socket.end());
    socket.once("data", () => void asked.push(socket));
  });
  return { port, asked };
}

/** A backend that ends each connection once it has read the head. */
function startEnding(cleanups: Cleanups, heads: string[] = []): Promise<number> {
  return startTcp(cleanups, (socket) => {
    socket.once("data", (chunk) => {
      heads.push(chunk.toString("latin1"));
      socket.end();
    });
  });
}

describe("Connect", () => {
  test("a backend that cannot be connected to costs nobody the handshake while there is another", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, {
      backends: [await closedPort(), await startAnswering(cleanups, switchHead())],
      entries: [retrying({})],
    });
    for (let again = 0; again < 4; again++) {
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      await expect.poll(() => client.text(), PATIENT).toContain(" 101 ");
    }
    expect(proxy.seen.triedAgain[0]).toEqual({ reason: "Connect", result: "tried", upgrade: true });
  });

  test.for([
    { name: "a handshake", request: handshakeHead() },
    { name: "a plain request", request: PLAIN },
  ])("$name has as many further tries as the rule says, and no more", async ({ request }) => {
    for (const attempts of [0, 1, 3]) {
      await using cleanups = new Cleanups();
      const ports = await Promise.all(Array.from({ length: 6 }, () => closedPort()));
      const proxy = await startProxy(cleanups, { backends: ports, entries: [retrying({ attempts })] });
      const text = await rawClient(cleanups, proxy.port, request).whole;
      expect(text).toContain("HF_DIAL_REFUSED");
      expect(proxy.seen.triedAgain.filter(({ result }) => result === "tried")).toHaveLength(attempts);
      expect(Object.keys(proxy.out())).toHaveLength(attempts + 1);
      expect(proxy.leases()).toEqual([0, 0]);
    }
  });

  test.for([
    { name: "a handshake", request: handshakeHead() },
    { name: "a plain request", request: PLAIN },
  ])("$name of a rule that tries nothing again is answered by the first failure", async ({ request }) => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, {
      backends: [await closedPort(), await startAnswering(cleanups, switchHead())],
      entries: [retrying({ on: [] })],
    });
    expect(await rawClient(cleanups, proxy.port, request).whole).toContain("HF_DIAL_REFUSED");
  });

  test("where there is no other backend the failure is told as it was", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { backends: [await closedPort()], entries: [retrying({ attempts: 3 })] });
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain("HF_DIAL_REFUSED");
    expect(proxy.seen.triedAgain).toEqual([{ reason: "Connect", result: "no_backend", upgrade: true }]);
  });
});

describe("what a backend may have acted on is sent once, unless the rule says otherwise", () => {
  const ways = [
    { name: "its 502", answer: BAD_GATEWAY, on: "502" as const, without: " 502 Bad Gateway" },
    { name: "its 503", answer: UNAVAILABLE, on: "503" as const, without: " 503 Service Unavailable" },
    { name: "a 101 that is none", answer: switchHead([], "AAAA"), on: "502" as const, without: "HF_BAD_SWITCH" },
    { name: "garbage", answer: "\x16\x03\x01", on: "502" as const, without: "HF_BACKEND_BAD_RESPONSE" },
    {
      name: "an answer in an unknown coding",
      answer: "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\nabc",
      on: "502" as const,
      without: "HF_BACKEND_BAD_RESPONSE",
    },
    { name: "the end of the connection", answer: undefined, on: "502" as const, without: "HF_BACKEND_RESET" },
  ];

  test.for(ways)("a ticket in the handshake is used once: $name", async ({ answer, without }) => {
    await using cleanups = new Cleanups();
    const heads: string[] = [];
    const bad = answer === undefined ? startEnding(cleanups, heads) : startAnswering(cleanups, answer, heads);
    const other = startAnswering(cleanups, switchHead(), heads);
    const proxy = await startProxy(cleanups, { backends: await Promise.all([bad, other]), entries: [retrying({})] });
    const text = await rawClient(cleanups, proxy.port, handshakeHead(["X-Ticket: 1"])).whole;
    expect(text).toContain(without);
    expect(heads.filter((head) => head.includes("X-Ticket: 1"))).toHaveLength(1);
    await expect.poll(() => proxy.leases(), PATIENT).toEqual([0, 0]);
  });

  test.for(ways)("it goes on to another backend where the rule wants it: $name", async ({ answer, on }) => {
    await using cleanups = new Cleanups();
    const bad = answer === undefined ? startEnding(cleanups) : startAnswering(cleanups, answer);
    const good = startAnswering(cleanups, switchHead());
    const backends = await Promise.all([bad, good]);
    const proxy = await startProxy(cleanups, { backends, entries: [retrying({ on: [on] })] });
    const clients = [0, 1].map(() => rawClient(cleanups, proxy.port, handshakeHead()));
    for (const client of clients) await expect.poll(() => client.text(), PATIENT).toMatch(/^HTTP\/1\.1 101 /);
    expect(proxy.seen.triedAgain).toEqual([{ reason: on, result: "tried", upgrade: true }]);
    expect(proxy.leases()).toEqual([0, 2]);
    expect(proxy.seen.forwarded).toEqual([]);
  });

  test("a 403 is an answer, and passed on whatever the rule says", async () => {
    await using cleanups = new Cleanups();
    const forbidden = await startAnswering(cleanups, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    const proxy = await startProxy(cleanups, {
      backends: [forbidden, await startAnswering(cleanups, switchHead())],
      entries: [retrying({ on: ["Connect", "Timeout", "502", "503"], attempts: 5 })],
    });
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain(" 403 Forbidden");
  });

  test("the answer of the last try is passed on with its body, those before it are not", async () => {
    await using cleanups = new Cleanups();
    const heads: string[] = [];
    const backends = await Promise.all(
      ["one", "two", "six"].map((body) =>
        startAnswering(cleanups, `HTTP/1.1 503 ${body}\r\nContent-Length: 3\r\n\r\n${body}`, heads),
      ),
    );
    const proxy = await startProxy(cleanups, { backends, entries: [retrying({ on: ["503"], attempts: 9 })] });
    const text = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(text).toMatch(/^HTTP\/1\.1 503 six\r\n[^]*\r\n\r\nsix$/);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(heads).toHaveLength(3);
    await expect.poll(() => proxy.leases(), PATIENT).toEqual([0, 0]);
  });

  test("a plain request is not sent a second time, whatever its answer", async () => {
    await using cleanups = new Cleanups();
    let asked = 0;
    const { port } = await startHttp(cleanups, (_request, response) => {
      asked++;
      response.writeHead(503).end();
    });
    const other = await startHttp(cleanups, (_request, response) => response.end("fine"));
    const proxy = await startProxy(cleanups, {
      backends: [port, other.port],
      entries: [retrying({ on: ["Connect", "Timeout", "502", "503"], attempts: 5 })],
    });
    expect(await rawClient(cleanups, proxy.port, PLAIN).whole).toContain(" 503 ");
    expect(asked).toBe(1);
  });
});

describe("Timeout", () => {
  const BY_TIME = { on: ["Timeout" as const], attempts: 2 };

  test("a silent backend has its share of the time, then another one is asked", async () => {
    await using cleanups = new Cleanups();
    const silent = await startSilent(cleanups);
    const good = await startAnswering(cleanups, switchHead());
    const proxy = await startProxy(cleanups, {
      backends: [silent.port, good],
      entries: [retrying(BY_TIME, { handshakeMs: 900 })],
    });
    const beganMs = performance.now();
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => client.text(), PATIENT).toContain(" 101 ");
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(290);
    expect(performance.now() - beganMs).toBeLessThan(900);
    await expect.poll(() => silent.asked[0]?.destroyed, PATIENT).toBe(true);
    expect(proxy.leases()).toEqual([0, 1]);
  });

  test("all tries together take no longer than a handshake may", async () => {
    await using cleanups = new Cleanups();
    const silent = await Promise.all([0, 1, 2, 3].map(() => startSilent(cleanups)));
    const proxy = await startProxy(cleanups, {
      backends: silent.map(({ port }) => port),
      entries: [retrying(BY_TIME, { handshakeMs: 1_500 })],
    });
    const beganMs = performance.now();
    const text = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(text).toContain("HF_HANDSHAKE_TIMEOUT");
    expect(text).toContain("3 backends were tried");
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(1_490);
    expect(performance.now() - beganMs).toBeLessThan(4_000);
    expect(silent.map(({ asked }) => asked.length)).toEqual([1, 1, 1, 0]);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("where there is no other backend the silent one has all of the time", async () => {
    await using cleanups = new Cleanups();
    const silent = await startSilent(cleanups);
    const proxy = await startProxy(cleanups, {
      backends: [silent.port],
      entries: [retrying(BY_TIME, { handshakeMs: 3_000 })],
    });
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect
      .poll(() => proxy.seen.triedAgain, { timeout: 3_000 })
      .toEqual([{ reason: "Timeout", result: "no_backend", upgrade: true }]);
    silent.asked[0]!.write(switchHead(), "latin1");
    await expect.poll(() => client.text(), PATIENT).toContain(" 101 ");
  });

  test("by default a slow backend is waited for, and asked alone", async () => {
    await using cleanups = new Cleanups();
    const silent = await startSilent(cleanups);
    const heads: string[] = [];
    const proxy = await startProxy(cleanups, {
      backends: [silent.port, await startAnswering(cleanups, switchHead(), heads)],
      entries: [retrying({ attempts: 5 }, { handshakeMs: 500 })],
    });
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain("HF_HANDSHAKE_TIMEOUT");
    expect(heads).toEqual([]);
  });
});

test("once the client has gone nothing is tried any more", async () => {
  await using cleanups = new Cleanups();
  const silent = await startSilent(cleanups);
  const heads: string[] = [];
  const proxy = await startProxy(cleanups, {
    backends: [silent.port, await startAnswering(cleanups, switchHead(), heads)],
    entries: [retrying({ on: ["Connect", "Timeout", "502", "503"], attempts: 1 }, { handshakeMs: 400 })],
  });
  const client = rawClient(cleanups, proxy.port, handshakeHead());
  await expect.poll(() => silent.asked.length, PATIENT).toBe(1);
  client.socket.destroy();
  await expect.poll(() => proxy.server.pendingHandshakes, PATIENT).toBe(0);
  // Seen by the backend: what it might say now is nobody's any more.
  await expect.poll(() => silent.asked[0]?.destroyed, PATIENT).toBe(true);
  const beganMs = performance.now();
  await expect.poll(() => performance.now() - beganMs, PATIENT).toBeGreaterThan(300);
  expect([heads, proxy.seen.triedAgain]).toEqual([[], []]);
  expect(proxy.leases()).toEqual([0, 0]);
});

test("in an outage further tries stay within the budget, however many may be made for one handshake", async () => {
  await using cleanups = new Cleanups();
  let asked = 0;
  const full = await Promise.all(
    Array.from({ length: 6 }, () =>
      startTcp(cleanups, (socket) => {
        socket.once("data", () => {
          asked++;
          socket.end(UNAVAILABLE);
        });
      }),
    ),
  );
  const proxy = await startProxy(cleanups, {
    backends: full,
    entries: [retrying({ on: ["503"], attempts: 5, budgetPercent: 20 })],
  });
  const beganMs = performance.now();
  const handshakes = 400;
  const clients = Array.from({ length: handshakes }, () => rawClient(cleanups, proxy.port, handshakeHead()));
  await Promise.all(clients.map((client) => client.whole));
  const seconds = (performance.now() - beganMs) / 1_000;
  expect(asked).toBeGreaterThan(handshakes * 1.15);
  expect(asked).toBeLessThanOrEqual(handshakes * 1.2 + 10 * (seconds + 1));
  expect(proxy.seen.triedAgain.some(({ result }) => result === "no_budget")).toBe(true);
  expect(clients.every((client) => client.text().includes(" 503 "))).toBe(true);
});
