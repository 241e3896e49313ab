import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { type ForbiddenCheck, forbiddenTargets } from "./forbidden-targets.ts";
import {
  Cleanups,
  handshakeHead,
  rawClient,
  startAnswering,
  startHttp,
  startProxy,
  type StartedProxy,
  startTcp,
  switchHead,
} from "./proxy.fixture.ts";

const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
const hasIPv6 = interfaces.some(({ address }) => address === "::1");
const outside = interfaces.find(({ internal, address }) => !internal && !address.startsWith("fe80:"))?.address;

/** The check for a cluster, with the listeners that are pushed into the list. */
function clusterCheck(listeners: { address: string; port: number }[] = []): ForbiddenCheck {
  return forbiddenTargets({
    ownListeners: () => listeners,
    ownAddresses: () => interfaces.map(({ address }) => address),
    now: () => performance.now(),
  });
}

/** A listener on all addresses of the machine; counts who came. */
async function startSecret(cleanups: Cleanups): Promise<{ port: number; arrived: () => number }> {
  let arrived = 0;
  const server = createServer((socket) => {
    arrived++;
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"));
  });
  await new Promise<void>((resolve) => server.listen(0, hasIPv6 ? "::" : "0.0.0.0", resolve));
  cleanups.add(() => void server.close());
  return { port: (server.address() as AddressInfo).port, arrived: () => arrived };
}

const PLAIN = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
const ROADS = [
  { road: "a handshake", request: handshakeHead() },
  { road: "a plain request", request: PLAIN },
] as const;

/** The whole answer to a request, and how many sockets were opened on the way to it. */
async function ask(
  cleanups: Cleanups,
  proxy: StartedProxy,
  request: string,
): Promise<{ answer: string; opened: number }> {
  const client = rawClient(cleanups, proxy.port);
  await new Promise((resolve) => client.socket.once("connect", resolve));
  let opened = 0;
  const count = (): void => void opened++;
  subscribe("net.client.socket", count);
  try {
    client.send(request);
    return { answer: await client.whole, opened };
  } finally {
    unsubscribe("net.client.socket", count);
  }
}

const SPELLINGS = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "localhost", "127.1", "2130706433"];
if (hasIPv6) SPELLINGS.push("::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:0:0:1");

describe.for(ROADS)("$road", ({ request }) => {
  test.for(SPELLINGS)("to %s arrives where nothing is forbidden, and opens no socket in a cluster", async (address) => {
    await using cleanups = new Cleanups();
    const secret = await startSecret(cleanups);
    const backends = [{ address, port: secret.port }];
    const open = await startProxy(cleanups, { backends });
    expect((await ask(cleanups, open, request)).answer).toContain("secret");
    expect(secret.arrived()).toBe(1);

    const proxy = await startProxy(cleanups, { backends, isForbidden: clusterCheck() });
    const { answer, opened } = await ask(cleanups, proxy, request);
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).toContain("holdfast-error: HF_FORBIDDEN_TARGET\r\n");
    expect(answer).toMatch(/the endpoint is (a loopback|the unspecified|no IP) address/);
    expect(opened).toBe(0);
    expect(secret.arrived()).toBe(1);
    expect(proxy.seen.refused).toMatchObject([{ code: "HF_FORBIDDEN_TARGET", status: 502, route: "apps/chat" }]);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test("goes to another backend that is allowed, wherever the forbidden ones stand in the list", async () => {
    await using cleanups = new Cleanups();
    const secret = await startSecret(cleanups);
    const { port: plain } = await startHttp(cleanups, (_request, response) => response.end("good"));
    const tunnel = await startAnswering(cleanups, `${switchHead()}good`);
    const good = request === PLAIN ? plain : tunnel;
    const isForbidden: ForbiddenCheck = (_address, port) => (port === secret.port ? "a loopback address" : undefined);
    const forbidden = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map((address) => ({ address, port: secret.port }));
    const proxy = await startProxy(cleanups, { backends: [...forbidden, good], isForbidden });
    for (let i = 0; i < 8; i++) {
      const client = rawClient(cleanups, proxy.port, request);
      await expect.poll(() => client.text()).toMatch(/good$/);
    }
    expect(secret.arrived()).toBe(0);
    expect(proxy.seen.refused).toEqual([]);
  });

  test("tries no more forbidden backends than others, and says how it ended", async () => {
    await using cleanups = new Cleanups();
    const asked: string[] = [];
    const isForbidden: ForbiddenCheck = (address) => {
      asked.push(address);
      return "a loopback address";
    };
    const backends = Array.from({ length: 20 }, (_, i) => ({ address: `127.0.0.${i + 1}`, port: 9 }));
    const proxy = await startProxy(cleanups, { backends, isForbidden });
    const { answer } = await ask(cleanups, proxy, request);
    expect(answer).toContain("HF_FORBIDDEN_TARGET");
    expect(new Set(asked).size).toBe(5);
    expect(asked).toHaveLength(5);
    expect(proxy.leases()).toEqual([0, 0]);
  });

  test.skipIf(outside === undefined)(
    "to the proxy's own listener by an outer address of the machine is refused",
    async () => {
      await using cleanups = new Cleanups();
      const secret = await startSecret(cleanups);
      const listeners: { address: string; port: number }[] = [];
      const backends = [{ address: outside ?? "", port: secret.port }];
      const proxy = await startProxy(cleanups, { backends, isForbidden: clusterCheck(listeners) });
      expect((await ask(cleanups, proxy, request)).answer).toContain("secret");
      listeners.push({ address: "::", port: secret.port });
      // The kept connection is of no use any more: another backend, the same address.
      proxy.setBackends([]);
      proxy.setBackends(backends);
      const { answer, opened } = await ask(cleanups, proxy, request);
      expect(answer).toContain("the endpoint is a listener of Holdfast itself");
      expect([opened, secret.arrived()]).toEqual([0, 1]);
    },
  );
});

test("a client that goes away while its handshake is refused leaves no lease and no answer", async () => {
  await using cleanups = new Cleanups();
  const port = await startTcp(cleanups, (socket) => void socket.resume());
  const client: { leave: () => void } = { leave: () => {} };
  const isForbidden: ForbiddenCheck = () => {
    client.leave();
    return "a loopback address";
  };
  const proxy = await startProxy(cleanups, { backends: [port], isForbidden });
  const raw = rawClient(cleanups, proxy.port, handshakeHead());
  client.leave = () => void raw.socket.resetAndDestroy();
  await expect.poll(() => proxy.server.pendingHandshakes === 0 && proxy.server.openConnections === 0).toBe(true);
  expect(proxy.leases()).toEqual([0, 0]);
});

test("the proxy says what it listens on, and nothing once it has stopped", async () => {
  await using cleanups = new Cleanups();
  const proxy = await startProxy(cleanups);
  expect(proxy.server.listeners).toEqual([{ address: "127.0.0.1", port: proxy.port }]);
  proxy.server.stopListening();
  await expect.poll(() => proxy.server.listeners).toEqual([]);
});
