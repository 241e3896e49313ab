import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { type HoldfastProcess, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, type Manifest, ManifestFolder, route, service } from "./fixtures/manifests.ts";
import { gauge } from "./fixtures/scrape.ts";

let backend: ArticleBackend;
let folder: ManifestFolder;
let holdfast: HoldfastProcess;
let http: string;
let admin: string;
const sockets = new Set<WebSocket>();

/** A route `chat` with these limits, and no endpoint yet. */
async function serve(admission: Manifest): Promise<void> {
  folder = await ManifestFolder.create({
    "routes.yaml": [
      service("chat", 80),
      route("chat").host("chat.example").to("chat", 80).with({ admission }).manifest(),
    ],
  });
  ({ holdfast, http, admin } = await serveFolder(folder.path));
}

beforeEach(async () => {
  backend = await ArticleBackend.start(0);
});

afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets.clear();
  await holdfast[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly retryAfter: number;
  readonly atMs: number;
}

/** A handshake, and how it was answered. */
function connect(): { readonly socket: WebSocket; readonly answer: Promise<Answer> } {
  const socket = new WebSocket(`ws://${http}/`, { perMessageDeflate: false, headers: { host: "chat.example" } });
  sockets.add(socket);
  socket.on("error", () => {});
  const answer = new Promise<Answer>((resolve) => {
    socket.once("open", () => resolve({ status: 101, code: undefined, retryAfter: 0, atMs: performance.now() }));
    socket.once("unexpected-response", (_request, response) => {
      response.resume();
      const { "holdfast-error": code, "retry-after": retryAfter } = response.headers;
      resolve({
        status: response.statusCode ?? 0,
        code: typeof code === "string" ? code : undefined,
        retryAfter: Number(retryAfter),
        atMs: performance.now(),
      });
    });
  });
  return { socket, answer };
}

const HELD = 'holdfast_waiting_handshakes{route="apps/chat",rule="main",why="hold"}';
const QUEUED = 'holdfast_waiting_handshakes{route="apps/chat",rule="main",why="queue"}';

test("clients that come while a Deployment has no Pod are held, and connected when its first one is ready", async () => {
  await serve({ holdUntilReady: { size: 50, timeout: "1m" } });
  const clients = Array.from({ length: 50 }, connect);
  await expect.poll(() => gauge(admin, HELD)).toBe(50);
  expect(await connect().answer).toMatchObject({ status: 503, code: "HF_NO_BACKEND" });
  clients[0]?.socket.terminate();
  await expect.poll(() => gauge(admin, HELD)).toBe(49);
  await folder.write("endpoints.yaml", endpoints("chat", [backend.port]));
  const answers = await Promise.all(clients.slice(1).map(({ answer }) => answer));
  expect(answers.every(({ status }) => status === 101)).toBe(true);
  expect(backend.handshakes).toHaveLength(49);
  expect(await gauge(admin, HELD)).toBeUndefined();
});

test("clients that are held when the process is told to end hear 503 at once, and it ends", async () => {
  await serve({ holdUntilReady: { size: 50, timeout: "1h" } });
  const clients = Array.from({ length: 30 }, connect);
  await expect.poll(() => gauge(admin, HELD)).toBe(30);
  holdfast.process.kill("SIGINT");
  const answers = await Promise.all(clients.map(({ answer }) => answer));
  expect(answers.every(({ status, code }) => status === 503 && code === "HF_DRAINING")).toBe(true);
  expect(await holdfast.exit()).toMatchObject({ code: 0 });
});

test("a crowd is let in at the rate that the rule sets, those in the queue first, the others when they were told to come", async () => {
  await serve({ handshakesPerSecond: 50, queue: { size: 50, timeout: "5s" } });
  await folder.write("endpoints.yaml", endpoints("chat", [backend.port]));
  await expect.poll(() => gauge(admin, 'holdfast_upstream_backends{upstream="apps/chat:80",state="ready"}')).toBe(1);
  const beganMs = performance.now();
  const first = Array.from({ length: 200 }, connect);
  await expect.poll(() => gauge(admin, QUEUED), { interval: 10 }).toBeGreaterThan(20);
  const answers = await Promise.all(first.map(({ answer }) => answer));
  const refused = answers.filter(({ status }) => status === 503);
  const opened = answers.filter(({ status }) => status === 101);
  expect(refused.every(({ code }) => code === "HF_RATE_LIMITED")).toBe(true);
  // A second's worth at once, the queue after it, and what the rate allows while they come.
  expect(opened.length).toBeGreaterThanOrEqual(100);
  expect(opened.length).toBeLessThan(150);
  const again = await Promise.all(
    refused.map(async ({ retryAfter, atMs }) => {
      await expect.poll(() => performance.now() - atMs, { timeout: 70_000 }).toBeGreaterThan(retryAfter * 1_000);
      return connect().answer;
    }),
  );
  expect(again.every(({ status }) => status === 101)).toBe(true);
  const times = [...opened, ...again].map(({ atMs }) => atMs - beganMs);
  for (let second = 1; second <= 6; second++) {
    expect(times.filter((ms) => ms < second * 1_000).length).toBeLessThanOrEqual(50 + second * 50 + 5);
  }
  expect(backend.handshakes).toHaveLength(200);
});
