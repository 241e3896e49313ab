import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { isInNamespace } from "../cluster/fixtures/cluster-tools.ts";
import { flood, WatchfulBackend } from "./fixtures/half-open-backend.ts";
import { FarMachine } from "./fixtures/half-open-machine.ts";
import { PeerProcess } from "./fixtures/half-open-peer.ts";
import { SlowClient } from "./fixtures/half-open-slow-client.ts";
import { type HoldfastProcess, type LogLine, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, endpointSlices, type Manifest, ManifestFolder, service } from "./fixtures/manifests.ts";

const PING_MS = 1_000;
const TIMEOUT_MS = 1_000;
/** For a loaded machine; without our Pings TCP would take minutes. */
const SLACK_MS = 3_000;
const FOUND_WITHIN_MS = PING_MS + TIMEOUT_MS + SLACK_MS;

const KEEPALIVE = { ping: "1s", timeout: "1s" };

interface RuleFields {
  readonly name: string;
  readonly to: string;
  readonly fields: Manifest;
}

const RULES: readonly RuleFields[] = [
  { name: "client", to: "here", fields: { keepalive: KEEPALIVE } },
  { name: "idle", to: "here", fields: { keepalive: KEEPALIVE, timeouts: { idle: "3s" } } },
  { name: "both", to: "here", fields: { keepalive: { ...KEEPALIVE, backendPing: "1s" } } },
  { name: "stopped", to: "stopped", fields: { keepalive: { ...KEEPALIVE, ping: "0s", backendPing: "1s" } } },
  { name: "far", to: "far", fields: { keepalive: { ...KEEPALIVE, ping: "0s", backendPing: "1s" } } },
];

const ROUTE: Manifest = {
  apiVersion: "holdfast.dev/v1alpha1",
  kind: "WebSocketRoute",
  metadata: { name: "watched", namespace: "apps" },
  spec: {
    rules: RULES.map(({ name, to, fields }) => ({
      name,
      matches: [{ path: { type: "PathPrefix", value: `/${name}` } }],
      backendRefs: [{ name: to, port: 80 }],
      ...fields,
    })),
  },
};

let backend: WatchfulBackend;
let folder: ManifestFolder;
let holdfast: HoldfastProcess;
let port: string;

beforeAll(async () => {
  backend = await WatchfulBackend.start();
  folder = await ManifestFolder.create({
    "services.yaml": [service("here", 80), service("stopped", 80), service("far", 80)],
    "here.yaml": endpoints("here", [backend.port]),
    "route.yaml": [ROUTE],
  });
  const served = await serveFolder(folder.path, { args: ["--http", "0.0.0.0:0"] });
  holdfast = served.holdfast;
  port = served.http.split(":")[1]!;
});

afterAll(async () => {
  await holdfast[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

/** The line about the end of the tunnel under that rule, opened from that address. */
function endOf(rule: string, cause: string): Promise<LogLine> {
  return holdfast.line((line) => line.msg === "tunnel ended" && line["rule"] === rule && line["cause"] === cause);
}

async function open(path: string, options: { readonly autoPong?: boolean } = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false, ...options });
  await once(socket, "open");
  socket.on("error", () => {});
  return socket;
}

/** As `open`, of a backend that the proxy may not have heard of yet. */
function openSoon(path: string): Promise<WebSocket> {
  return vi.waitFor(() => open(path), { timeout: 20_000 });
}

/** Sockets of this machine that are joined to an address and that a process still holds. */
function connectionsTo(address: string): number {
  const [a, b, c, d] = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0").toUpperCase());
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  // As the kernel writes it: the address backwards, the state in the column behind, 01 for an open one.
  return lines.filter((line) => new RegExp(` ${d}${c}${b}${a}:[0-9A-F]{4} 01 `).test(line)).length;
}

async function closeOf(socket: WebSocket): Promise<number> {
  const [code] = (await once(socket, "close")) as [number];
  return code;
}

describe("a peer that is gone without a word", () => {
  test("a stopped client is found within ping and timeout: the backend gets 1001, the log says client_dead", async () => {
    await using client = new PeerProcess("client", `ws://127.0.0.1:${port}/client/stopped`);
    await client.event("ping");
    client.stop();
    const stoppedMs = performance.now();
    const side = backend.tunnels.get("/client/stopped")!;
    await expect.poll(() => side.close?.code, { timeout: FOUND_WITHIN_MS }).toBe(1001);
    // Not before it has had its time: its last Pong is less than a silence old.
    expect(side.close!.atMs - stoppedMs).toBeGreaterThan(TIMEOUT_MS * 0.8);
    expect(side.pongs).toEqual([]);
    const line = await endOf("client", "client_dead");
    expect(line).toMatchObject({ by: "client", codeToBackend: 1001 });
    expect(line).not.toHaveProperty("codeToClient");
    client.goOn();
    // Nobody is there any more who could tell it why.
    expect(await client.event("close")).toMatchObject({ code: 1006 });
  });

  test("a stopped backend is found within ping and timeout: the client gets 1012, the log says backend_dead", async () => {
    await using peer = new PeerProcess("backend", "127.0.0.1");
    await folder.write("stopped.yaml", endpoints("stopped", [(await peer.event("listening")).port!]));
    const socket = await openSoon("/stopped");
    await peer.event("ping");
    peer.stop();
    const stoppedMs = performance.now();
    expect(await closeOf(socket)).toBe(1012);
    expect(performance.now() - stoppedMs).toBeLessThan(FOUND_WITHIN_MS);
    // It may only have been asleep: what it reads when it wakes tells it.
    peer.goOn();
    expect(await peer.event("close")).toMatchObject({ code: 1001 });
    expect(await endOf("stopped", "backend_dead")).toMatchObject({ by: "backend", codeToClient: 1012 });
  });

  test("a client that neither answers Pings nor says anything is dead, however well it reads", async () => {
    const closed = closeOf(await open("/client/deaf", { autoPong: false }));
    await expect.poll(() => backend.tunnels.get("/client/deaf")!.close?.code, { timeout: FOUND_WITHIN_MS }).toBe(1001);
    expect(await closed).toBe(1006);
  });

  describe.skipIf(!isInNamespace())("behind a cable that is pulled", () => {
    let machine: FarMachine;
    beforeAll(async () => {
      machine = await FarMachine.start();
    });
    afterAll(async () => {
      await machine[Symbol.asyncDispose]();
    });

    test("a client is found within ping and timeout, and so is a backend; nothing of either is left", async () => {
      await using client = new PeerProcess("client", `ws://${machine.near}:${port}/client/far`, machine.prefix);
      await using peer = new PeerProcess("backend", machine.far, machine.prefix);
      const address = { host: machine.far, port: (await peer.event("listening")).port! };
      await folder.write("far.yaml", endpointSlices("far", [address]));
      const socket = await openSoon("/far");
      await Promise.all([client.event("ping"), peer.event("ping")]);
      machine.pullCable();
      const pulledMs = performance.now();
      const side = backend.tunnels.get("/client/far")!;
      expect(await closeOf(socket)).toBe(1012);
      expect(performance.now() - pulledMs).toBeLessThan(FOUND_WITHIN_MS);
      await expect.poll(() => side.close?.code, { timeout: FOUND_WITHIN_MS }).toBe(1001);
      expect(side.close!.atMs - pulledMs).toBeLessThan(FOUND_WITHIN_MS);
      expect(client.count("close") + peer.count("close")).toBe(0);
      const cause = await holdfast.line((line) => line["client"] === machine.far && "cause" in line);
      expect(cause).toMatchObject({ cause: "client_dead", codeToBackend: 1001 });
      // Its socket is given up although it never acknowledged our FIN.
      expect(await endOf("far", "backend_dead")).toMatchObject({ codeToClient: 1012 });
      await expect.poll(() => connectionsTo(machine.far), { timeout: 20_000 }).toBe(0);
    });
  });
});

describe("a peer that lives", () => {
  test("one that only answers Pings is left alone, and so is one that never answers but says something", async () => {
    const quiet = await open("/client/quiet");
    const rude = await open("/client/rude", { autoPong: false });
    let pings = 0;
    quiet.on("ping", () => (pings += 1));
    const talk = setInterval(() => rude.send("I am here"), PING_MS / 4);
    await expect.poll(() => pings, { timeout: 20_000 }).toBeGreaterThanOrEqual(5);
    clearInterval(talk);
    expect([quiet.readyState, rude.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
    const told = [quiet, rude].map((socket) => closeOf(socket));
    quiet.close(4001);
    rude.close(4002);
    expect(await Promise.all(told)).toEqual([4001, 4002]);
    // Pongs to our Pings are ours.
    expect(backend.tunnels.get("/client/quiet")!.pongs).toEqual([]);
  });

  test("our Pings and their Pongs are no activity: an idle tunnel ends with 1001 to both sides", async () => {
    const socket = await open("/idle");
    const openedMs = performance.now();
    let pings = 0;
    socket.on("ping", () => (pings += 1));
    expect(await closeOf(socket)).toBe(1001);
    expect(performance.now() - openedMs).toBeGreaterThan(2_900);
    expect(performance.now() - openedMs).toBeLessThan(3_000 + SLACK_MS);
    expect(pings).toBeGreaterThanOrEqual(2);
    await expect.poll(() => backend.tunnels.get("/idle")!.close?.code).toBe(1001);
    expect(await endOf("idle", "idle")).toMatchObject({ by: "holdfast", bytesUp: expect.any(Number) as number });
  });

  test("Pings of either side pass and are answered by the other; ours are answered to us", async () => {
    const socket = await open("/both");
    const side = backend.tunnels.get("/both")!;
    const asked: string[] = [];
    const answered: string[] = [];
    socket.on("ping", (data: Buffer) => asked.push(data.toString("latin1")));
    socket.on("pong", (data: Buffer) => answered.push(data.toString("latin1")));
    const ours = (): number => asked.filter((payload) => !payload.startsWith("from ")).length;
    // Between each two there is time for silences, and for Pings of ours to both sides.
    for (let number = 0; number < 3; number += 1) {
      side.socket.ping(`from backend ${number}`);
      socket.ping(`from client ${number}`);
      const before = { ours: ours(), toBackend: side.pings.length };
      await expect.poll(() => ours(), { timeout: 10_000 }).toBeGreaterThan(before.ours);
      await expect.poll(() => side.pings.length, { timeout: 10_000 }).toBeGreaterThan(before.toBackend);
    }
    expect(side.pongs).toEqual(["from backend 0", "from backend 1", "from backend 2"]);
    expect(answered).toEqual(["from client 0", "from client 1", "from client 2"]);
    socket.close(1000);
    expect(await closeOf(socket)).toBe(1000);
    expect(side.messages).toEqual([]);
  });

  test.concurrent.for([
    { how: "reads 150 kB/s while the backend sends without end", path: "/client/slow", bytesPerSecond: 150_000 },
    { how: "rests for 6 s while the backend sends without end", path: "/client/rest", bytesPerSecond: 0 },
  ])(
    "a client that $how is not killed, and gets every byte right",
    async ({ path, bytesPerSecond }, { expect: see }) => {
      const client = await SlowClient.open(`127.0.0.1:${port}`, path, bytesPerSecond);
      const beganMs = performance.now();
      const side = backend.tunnels.get(path)!;
      const sent = flood(side.socket, { isOver: () => performance.now() - beganMs > 9_000 });
      await sleep(6_000);
      see(client.isClosed).toBe(false);
      if (bytesPerSecond === 0) client.bytesPerSecond = Infinity;
      see(await finish(client, sent)).toEqual({ bytes: client.bytes, hash: client.hash });
      await see.poll(() => side.close?.code).toBe(4000);
    },
  );

  test.concurrent("a client that takes 200 kB/s of a burst that the kernel has taken whole is not killed", async ({
    expect: see,
  }) => {
    const client = await SlowClient.open(`127.0.0.1:${port}`, "/client/burst", 200_000);
    const side = backend.tunnels.get("/client/burst")!;
    const hashes = flood(side.socket, { isOver: (bytes) => bytes > 1_500_000 });
    await see.poll(() => client.isEndRead || client.isClosed, { timeout: 60_000 }).toBe(true);
    see(client.isClosed).toBe(false);
    see(await finish(client, hashes)).toEqual({ bytes: client.bytes, hash: client.hash });
  });
});

/** Lets the client read the rest at full speed, and close. */
async function finish<Sent>(client: SlowClient, sent: Promise<Sent>): Promise<Sent> {
  const result = await sent;
  client.bytesPerSecond = Infinity;
  await vi.waitUntil(() => client.isEndRead || client.isClosed, { timeout: 60_000 });
  client.close(4000);
  await vi.waitUntil(() => client.closeCode === 4000, { timeout: 10_000 });
  client.destroy();
  return result;
}
