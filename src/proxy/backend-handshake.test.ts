import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  Cleanups,
  handshakeHead,
  type RawClient,
  rawClient,
  startProxy,
  startTcp,
  switchHead,
  textFrame,
} from "./proxy.fixture.ts";
import { byteByByte, EARLY, INTERIM, type Script, type Scripted, startWith } from "./scripted-backend.fixture.ts";

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

async function expectTunnel(client: RawClient, early: string): Promise<void> {
  await expect.poll(() => bodyOf(client.text()), { interval: 1 }).toBe(early);
  expect(client.text()).toMatch(/^HTTP\/1\.1 101 /);
  expect(client.text().match(/HTTP\/1\.1/g)).toHaveLength(1);
  const frame = textFrame("c1", "client");
  client.send(frame);
  await expect.poll(() => bodyOf(client.text()), { interval: 1 }).toBe(early + frame);
}

/** One head went to each backend, and behind it what the client sent through the tunnel. */
function expectOneHead(backend: Scripted, behind: string): void {
  for (const received of backend.received) {
    expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(bodyOf(received)).toBe(behind);
  }
}

function cutEverywhere(text: string): string[][] {
  return Array.from({ length: text.length - 1 }, (_, index) => [text.slice(0, index + 1), text.slice(index + 1)]);
}

describe("a 101 in pieces opens the tunnel, with every early frame:", () => {
  test.for([
    { name: "cut in two at every byte", answer: switchHead() + EARLY },
    { name: "behind interim answers, cut in two at every byte", answer: INTERIM + switchHead() + EARLY },
  ])("$name", async ({ answer }) => {
    await using cleanups = new Cleanups();
    const { proxy, backend } = await startWith(cleanups, { pieces: [] });
    for (const pieces of cutEverywhere(answer)) {
      backend.script = { pieces };
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      await expectTunnel(client, EARLY);
      client.socket.destroy();
    }
    expect(proxy.seen.refused).toEqual([]);
    expect(proxy.seen.opened).toHaveLength(answer.length - 1);
    expectOneHead(backend, textFrame("c1", "client"));
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
  });

  test.for<{ name: string; script: Script; early?: string }>([
    { name: "byte by byte", script: { pieces: byteByByte(switchHead() + EARLY) } },
    { name: "byte by byte behind interim answers", script: { pieces: byteByByte(INTERIM + switchHead() + EARLY) } },
    { name: "in one piece behind interim answers", script: { pieces: [INTERIM, switchHead() + EARLY] } },
    { name: "before the backend has read the request", script: { pieces: [switchHead() + EARLY], when: "at once" } },
    {
      name: "in pieces before the request was read",
      script: { pieces: [...byteByByte(switchHead()), EARLY], when: "at once" },
    },
    { name: "with a length, which is ignored", script: { pieces: [switchHead(["Content-Length: 8"]) + EARLY] } },
    { name: "with chunks, which are none", script: { pieces: [switchHead(["Transfer-Encoding: chunked"]) + EARLY] } },
  ])("$name", async ({ script }) => {
    await using cleanups = new Cleanups();
    const { proxy, backend } = await startWith(cleanups, script);
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expectTunnel(client, EARLY);
    expect(client.text()).not.toMatch(/^(content-length|transfer-encoding):/im);
    expectOneHead(backend, textFrame("c1", "client"));
  });

  test("what comes behind the first of two 101s is the tunnel's", async () => {
    await using cleanups = new Cleanups();
    const { proxy, backend } = await startWith(cleanups, { pieces: [] });
    const second = "HTTP/1.1 101 Again\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    for (const pieces of [[switchHead() + second], [...byteByByte(switchHead()), second]]) {
      backend.script = { pieces };
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      await expect.poll(() => bodyOf(client.text())).toBe(second);
    }
    expect(proxy.seen.opened).toHaveLength(2);
  });
});

describe("a refusal that comes byte by byte passes whole:", () => {
  const head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n";
  test.for<{ name: string; answer: string; ending?: "fin" }>([
    { name: "with a length", answer: `${head}Content-Length: 4\r\n\r\nwho?` },
    { name: "in chunks", answer: `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nw\r\n3\r\nho?\r\n0\r\n\r\n` },
    { name: "up to the connection's end", answer: `${head}\r\nwho?`, ending: "fin" },
    { name: "behind interim answers", answer: `${INTERIM}${head}Content-Length: 4\r\n\r\nwho?` },
  ])("$name", async ({ answer, ending }) => {
    await using cleanups = new Cleanups();
    for (const pieces of [byteByByte(answer), [answer]]) {
      const { proxy, backend } = await startWith(cleanups, { pieces, ...(ending !== undefined && { ending }) });
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      const got = await client.whole;
      expect(got).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
      expect(got).toContain("WWW-Authenticate: Basic\r\n");
      expect(bodyOf(got)).toBe("who?");
      expect(client.end()).toBe("fin");
      expectOneHead(backend, "");
      await expect.poll(() => backend.sockets.every((socket) => socket.destroyed)).toBe(true);
      expect(proxy.leases()).toEqual([0, 0]);
    }
  });

  test("a refusal by a backend that has not read the request and resets the connection behind it", async () => {
    await using cleanups = new Cleanups();
    const port = await startTcp(cleanups, (socket) => {
      socket.pause();
      // Unread bytes of the request make the kernel say RST; by then the answer has been read here.
      socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", () => setImmediate(() => socket.destroy()));
    });
    const proxy = await startProxy(cleanups, { backends: [port] });
    const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(got).toMatch(/^HTTP\/1\.1 403 /);
    await expect.poll(() => proxy.leases()).toEqual([0, 0]);
  });
});

describe("an answer that can no longer become one is a 502 at once, without waiting for its end:", () => {
  test.for([
    { name: "status 1010", start: "HTTP/1.1 1010" },
    { name: "a tab behind the status", start: "HTTP/1.1 101\tSwitching" },
    { name: "line ends without CR", start: switchHead().replaceAll("\r\n", "\n") },
    { name: "NUL in the reason's line end", start: "HTTP/1.1 101 OK\r\0" },
    { name: "NUL in a name", start: "HTTP/1.1 101 OK\r\nUp\0" },
    { name: "NUL in a value", start: "HTTP/1.1 101 OK\r\nUpgrade: web\0" },
    { name: "CR alone in a value", start: "HTTP/1.1 101 OK\r\nUpgrade: web\rsocket" },
    { name: "space before a colon", start: "HTTP/1.1 101 OK\r\nUpgrade : websocket" },
    { name: "a line without a colon", start: "HTTP/1.1 101 OK\r\nUpgrade\r\n" },
    { name: "a folded line", start: "HTTP/1.1 101 OK\r\n Upgrade: websocket" },
    { name: "a length that is none", start: "HTTP/1.1 101 OK\r\nContent-Length: x" },
    { name: "a length that is none in a whole 101", start: switchHead(["Content-Length: x"]) },
    { name: "two lengths in a whole 101", start: switchHead(["Content-Length: 1", "Content-Length: 2"]) },
    { name: "more than the largest head", start: `HTTP/1.1 101 OK\r\nX: ${"x".repeat(40_000)}` },
    { name: "another protocol", start: "HTTQ" },
  ])("$name", async ({ start }) => {
    await using cleanups = new Cleanups();
    for (const pieces of [[start], [...byteByByte(start.slice(0, 60)), start.slice(60)]]) {
      const { proxy, backend } = await startWith(cleanups, { pieces });
      const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
      expect(got).toMatch(/^HTTP\/1\.1 502 /);
      expect(got).toContain("holdfast-error: HF_BACKEND_BAD_RESPONSE\r\n");
      await expect.poll(() => backend.sockets[0]?.destroyed).toBe(true);
      expect(proxy.leases()).toEqual([0, 0]);
    }
  });
});

describe("a backend that goes before its answer is whole is a 502:", () => {
  const cuts = ["", "H", "HTTP/1.1 101", "HTTP/1.1 101 Switching Protocols\r\n", switchHead().slice(0, -1), INTERIM];
  test.for(
    cuts.flatMap((said) =>
      (["fin", "rst"] as const).map((ending) => ({ name: `${ending} behind ${said.length} bytes`, said, ending })),
    ),
  )("$name", async ({ said, ending }) => {
    await using cleanups = new Cleanups();
    const { proxy, backend } = await startWith(cleanups, { pieces: said === "" ? [] : [said], ending });
    const got = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(got).toMatch(/^HTTP\/1\.1 502 /);
    expect(got).toContain("holdfast-error: HF_BACKEND_RESET\r\n");
    expect(proxy.seen.refused).toHaveLength(1);
    await expect.poll(() => backend.sockets[0]?.destroyed).toBe(true);
    expect(proxy.leases()).toEqual([0, 0]);
  });
});

/** A backend that does not answer the Close by which it hears of a lost client is waited for. */
const AFTER_LINGER = { timeout: 10_000 };

test("after many handshakes of each kind neither descriptor, lease nor connection is left", async () => {
  await using cleanups = new Cleanups();
  const refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
  const scripts: Script[] = [
    { pieces: [switchHead() + EARLY] },
    { pieces: byteByByte(switchHead()) },
    { pieces: [INTERIM, switchHead()] },
    { pieces: [switchHead([], "A")] },
    { pieces: [refusal] },
    { pieces: byteByByte(refusal), ending: "fin" },
    { pieces: ["HTTP/1.1 403 Forbidden\r\n\r\nno"], ending: "fin" },
    { pieces: ["HTTP/1.1 1010"] },
    { pieces: ["HTTP/1.1 101 "], ending: "fin" },
    { pieces: ["HTTP/1.1 101 "], ending: "rst" },
    { pieces: ["HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n"], ending: "rst" },
    { pieces: [], ending: "rst" },
  ];
  const { proxy, backend } = await startWith(cleanups, { pieces: [switchHead()] });
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const once = async (): Promise<void> => {
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await new Promise((resolve) => client.socket.once("data", resolve).once("close", resolve));
    client.socket.destroy();
  };
  await once();
  await expect.poll(() => [proxy.server.openConnections, proxy.leases()], AFTER_LINGER).toEqual([0, [0, 0]]);
  await expect.poll(() => backend.sockets.every((socket) => socket.destroyed), AFTER_LINGER).toBe(true);
  const before = descriptors();
  for (const script of scripts) {
    backend.script = script;
    await Promise.all(Array.from({ length: 20 }, once));
  }
  await expect.poll(() => [proxy.server.openConnections, proxy.leases()], AFTER_LINGER).toEqual([0, [0, 0]]);
  expect(proxy.server.pendingHandshakes).toBe(0);
  await expect.poll(() => backend.sockets.every((socket) => socket.destroyed), AFTER_LINGER).toBe(true);
  await expect.poll(descriptors, AFTER_LINGER).toBeLessThanOrEqual(before);
});
