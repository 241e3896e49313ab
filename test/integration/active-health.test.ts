import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type HoldfastProcess, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, type Manifest, ManifestFolder, route, service } from "./fixtures/manifests.ts";

const PACE = { interval: "1s", timeout: "1s", unhealthyAfter: 2, healthyAfter: 2 };
const PROBES: readonly Manifest[] = [
  { type: "HTTP", path: "/healthz", host: "probe.example", ...PACE },
  { type: "WebSocket", path: "/healthz", ...PACE },
];

/** An interval is a second at least, and some of them have to pass. */
const SOON = { timeout: 15_000 };

/** Accepts every tunnel; answers probes, plain ones and handshakes, as its mood is. */
class MoodyBackend implements AsyncDisposable {
  mood: "well" | "sick" | "silent" = "well";
  tunnels = 0;
  /** Probes of another path. */
  others = 0;
  readonly probes: { readonly upgrade: boolean; readonly headers: IncomingHttpHeaders }[] = [];
  readonly #http: Server = createServer();
  readonly #sockets = new WebSocketServer({ noServer: true });

  static async start(): Promise<MoodyBackend> {
    const backend = new MoodyBackend();
    backend.#http.listen(0, "127.0.0.1");
    await once(backend.#http, "listening");
    return backend;
  }

  private constructor() {
    this.#http.on("request", ({ headers }, response) => {
      this.probes.push({ upgrade: false, headers });
      if (this.mood !== "silent") response.writeHead(this.mood === "well" ? 200 : 500).end();
    });
    this.#http.on("upgrade", (request, socket, head) => {
      const isProbe = request.url === "/healthz";
      if (isProbe) this.probes.push({ upgrade: true, headers: request.headers });
      if (isProbe && this.mood === "sick") {
        socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n");
        return;
      }
      if (request.url === "/other") this.others++;
      else if (!isProbe) this.tunnels++;
      this.#sockets.handleUpgrade(request, socket, head, (opened) => opened.on("error", () => {}));
    });
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

let backends: readonly MoodyBackend[];
let folder: ManifestFolder;
let holdfast: HoldfastProcess;
let http: string;
let admin: string;
const sockets = new Set<WebSocket>();

beforeEach(async () => {
  backends = await Promise.all([0, 0, 0].map(() => MoodyBackend.start()));
});

afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets.clear();
  await holdfast[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

function chatWith(health: Manifest | undefined): Manifest {
  return route("chat").host("chat.example").to("chat", 80).with({ health }).manifest();
}

async function serve(active: Manifest): Promise<void> {
  folder = await ManifestFolder.create({
    "routes.yaml": [service("chat", 80), chatWith({ active })],
    "endpoints.yaml": endpoints(
      "chat",
      backends.map(({ port }) => port),
    ),
  });
  ({ holdfast, http, admin } = await serveFolder(folder.path));
}

async function open(): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${http}/`, { perMessageDeflate: false, headers: { host: "chat.example" } });
  sockets.add(socket);
  socket.on("error", () => {});
  await once(socket, "open");
  return socket;
}

/** New tunnels of each backend, of so many. */
async function spread(count: number): Promise<readonly number[]> {
  const before = backends.map(({ tunnels }) => tunnels);
  for (let i = 0; i < count; i++) await open();
  return backends.map(({ tunnels }, i) => tunnels - (before[i] ?? 0));
}

function said(message: string, port: number): number {
  return holdfast.log.filter(({ msg, backend }) => msg === message && backend === `127.0.0.1:${port}`).length;
}

test.for(PROBES)(
  "$type: a ready backend that fails its probe gets no tunnels and keeps its own, and gets them again",
  async (active) => {
    await serve(active);
    const [sick] = backends;
    const { port } = sick!;
    await expect.poll(() => backends.every(({ probes }) => probes.length > 1), SOON).toBe(true);
    const kept = await open();
    expect(await spread(8)).not.toContain(0);
    sick!.mood = "sick";
    await expect.poll(() => said("backend fails its probe", port), SOON).toBe(1);
    const line = holdfast.log.find(({ msg }) => msg === "backend fails its probe");
    expect(line).toMatchObject({ upstream: "apps/chat:80", probe: active["type"], result: "bad_answer" });
    expect(line?.["why"]).toMatch(/status 50[03]/);
    // It carries the fewest from now on.
    expect((await spread(20))[0]).toBe(0);
    expect(kept.readyState).toBe(WebSocket.OPEN);
    sick!.mood = "well";
    await expect.poll(() => said("backend is well again", port), SOON).toBe(1);
    expect((await spread(10))[0]).toBe(10);
    for (const { upgrade, headers } of sick!.probes) {
      expect(headers["user-agent"]).toBe("holdfast-probe");
      expect(upgrade).toBe(active["type"] === "WebSocket");
      expect(headers.host).toBe(active["host"] ?? `127.0.0.1:${port}`);
    }
    const metrics = await (await fetch(`http://${admin}/metrics`)).text();
    expect(metrics).toMatch(
      new RegExp(`holdfast_probes_total\\{type="${String(active["type"])}",result="bad_answer"\\} [1-9]`),
    );
  },
);

test("when the rule asks no more, nobody is asked and nobody is out", async () => {
  await serve(PROBES[0]!);
  backends[0]!.mood = "sick";
  await expect.poll(() => said("backend fails its probe", backends[0]!.port), SOON).toBe(1);
  await folder.write("routes.yaml", [service("chat", 80), chatWith(undefined)]);
  await expect.poll(async () => (await spread(3))[0]).toBeGreaterThan(0);
  const asked = backends.map(({ probes }) => probes.length);
  // Two intervals of what is asked now are as long as two of what was.
  const other = { ...PROBES[1]!, path: "/other" };
  await folder.write("routes.yaml", [service("chat", 80), chatWith({ active: other })]);
  await expect.poll(() => backends.every(({ others }) => others > 2), SOON).toBe(true);
  expect(backends.map(({ probes }) => probes.length)).toEqual(asked);
  expect(said("backend is well again", backends[0]!.port)).toBe(0);
});

test("a process with probes under way that have a minute left ends at once", async () => {
  for (const backend of backends) backend.mood = "silent";
  await serve({ ...PROBES[0]!, timeout: "1m" });
  await expect.poll(() => backends.every(({ probes }) => probes.length === 1), SOON).toBe(true);
  const beganMs = performance.now();
  holdfast.process.kill("SIGINT");
  expect(await holdfast.exit()).toEqual({ code: 0, signal: null });
  expect(performance.now() - beganMs).toBeLessThan(20_000);
});
