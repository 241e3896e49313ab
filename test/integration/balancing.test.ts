import { once } from "node:events";
import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { type HoldfastProcess, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, ManifestFolder, route, service } from "./fixtures/manifests.ts";

const TUNNELS = 300;
const ROOMS = 60;
const HASHED = { algorithm: "ConsistentHash", hashOn: { type: "Header", name: "X-Room" } };

let backends: readonly ArticleBackend[];
let folder: ManifestFolder;
let holdfast: HoldfastProcess;
let http: string;
let admin: string;
const sockets = new Set<WebSocket>();

beforeEach(async () => {
  backends = await Promise.all([0, 0, 0].map((port) => ArticleBackend.start(port)));
  folder = await ManifestFolder.create({
    "routes.yaml": [
      service("chat", 80),
      route("least").host("least.example").to("chat", 80).manifest(),
      route("hashed").host("hashed.example").to("chat", 80).with({ loadBalancing: HASHED }).manifest(),
    ],
    "endpoints.yaml": endpoints("chat", portsOf(2)),
  });
  ({ holdfast, http, admin } = await serveFolder(folder.path));
});

afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets.clear();
  await holdfast[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

function portsOf(count: number): readonly number[] {
  return backends.slice(0, count).map(({ port }) => port);
}

async function open(host: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${http}/`, { perMessageDeflate: false, headers: { host, ...headers } });
  sockets.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
  await once(socket, "open");
  return socket;
}

/** Handshakes that each backend has had. */
function handshakes(): readonly number[] {
  return backends.map((backend) => backend.handshakes.length);
}

/** The port that answers a plain request. */
async function plain(host: string, room: string): Promise<number> {
  const [address, port] = http.split(":");
  const asked = request({ host: address, port, headers: { host, "x-room": room } }).end();
  const [answer] = (await once(asked, "response")) as [AsyncIterable<Buffer>];
  let text = "";
  for await (const chunk of answer) text += chunk.toString();
  return Number(text.trim().split(" ").at(-1));
}

/** The port that a handshake leads to; its tunnel is over again: one alone is all that the bound lets stand here. */
async function upgraded(host: string, room: string): Promise<number> {
  const before = handshakes();
  const socket = await open(host, { "x-room": room });
  const at = handshakes().findIndex((count, index) => count > before[index]!);
  socket.close();
  await expect.poll(async () => sum(await live()), { interval: 2 }).toBe(0);
  return backends[at]!.port;
}

/** Tunnels of each backend, as the operator's API has them; none of those that are not listed. */
async function live(): Promise<readonly number[]> {
  const answer = await fetch(`http://${admin}/v1/backends`);
  const { items } = (await answer.json()) as { items: readonly { backend: string; tunnels: number }[] };
  return items.map(({ tunnels }) => tunnels);
}

async function list(count: number): Promise<void> {
  await folder.write("endpoints.yaml", endpoints("chat", portsOf(count)));
  await expect.poll(async () => (await live()).length).toBe(count);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function many(count: number): Promise<readonly WebSocket[]> {
  return Promise.all(Array.from({ length: count }, () => open("least.example")));
}

test("300 tunnels are within one of each other on three backends, after one came and old ones went", async () => {
  const old = await many(TUNNELS / 2);
  expect(handshakes(), "all at once").toEqual([75, 75, 0]);
  await list(3);
  const gone = old.filter((_, index) => index % 3 === 0);
  for (const socket of gone) socket.close();
  const left = TUNNELS / 2 - gone.length;
  await expect.poll(async () => sum(await live())).toBe(left);
  await many(TUNNELS - left);
  const counts = await live();
  expect(sum(counts)).toBe(TUNNELS);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
});

test("a header leads to the same backend over plain HTTP and an upgrade alike; one that comes takes its share alone", async () => {
  const rooms = Array.from({ length: ROOMS }, (_, index) => `room-${index}`);
  const homes = new Map<string, number>();
  for (const room of rooms) homes.set(room, await upgraded("hashed.example", room));
  expect(new Set(homes.values())).toEqual(new Set(portsOf(2)));
  for (const room of rooms) expect(await plain("hashed.example", room)).toBe(homes.get(room));
  await list(3);
  const moved: number[] = [];
  for (const room of rooms) {
    const home = await upgraded("hashed.example", room);
    expect(await plain("hashed.example", room)).toBe(home);
    if (home !== homes.get(room)) moved.push(home);
  }
  // A third of them, give or take.
  expect(moved.length).toBeGreaterThan(ROOMS / 12);
  expect(moved.length).toBeLessThan(ROOMS * 0.6);
  expect(new Set(moved)).toEqual(new Set([backends[2]!.port]));
});

test("one busy room fills no backend beyond 1.25 times the mean", async () => {
  await list(3);
  for (let count = 0; count < 60; count++) await open("hashed.example", { "x-room": "busy" });
  expect(Math.max(...(await live()))).toBe(25);
});

test("a change of the algorithm counts for the next tunnel, and closes none", async () => {
  await many(10);
  await folder.write("routes.yaml", [
    service("chat", 80),
    route("least").host("least.example").to("chat", 80).with({ loadBalancing: HASHED }).manifest(),
  ]);
  await expect.poll(() => plain("hashed.example", "7").then(Number.isNaN)).toBe(true);
  const before = handshakes();
  for (let count = 0; count < 2; count++) await open("least.example", { "x-room": "same" });
  expect(handshakes().filter((count, index) => count === before[index]! + 2)).toHaveLength(1);
  expect(sockets.size).toBe(12);
});
