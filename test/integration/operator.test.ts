import { once } from "node:events";
import { existsSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { isInNamespace } from "../cluster/fixtures/cluster-tools.ts";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { FarMachine } from "./fixtures/half-open-machine.ts";
import { HoldfastProcess, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, ManifestFolder, route, service } from "./fixtures/manifests.ts";
import { holdfastCommand, holdfastJson } from "./fixtures/operator-commands.ts";

interface Listed<Item> {
  readonly replica: string;
  readonly items: readonly Item[];
  readonly total: number;
  readonly next?: string;
}
interface Tunnel {
  readonly id: string;
  readonly route: string;
  readonly backend: string;
  readonly client: string;
}
interface Closed {
  readonly code: number;
  readonly reason: string;
}

class Client {
  readonly socket: WebSocket;
  closed: Closed | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
  }

  static async open(http: string, path: string): Promise<Client> {
    const client = new Client(
      new WebSocket(`ws://${http}${path}`, { perMessageDeflate: false, headers: { host: "chat.example" } }),
    );
    await once(client.socket, "open");
    return client;
  }

  static many(http: string, path: string, count: number): Promise<Client[]> {
    return Promise.all(Array.from({ length: count }, () => Client.open(http, path)));
  }
}

/** What a handshake is answered with: 101, or the code of the refusal. */
async function handshake(http: string, path: string): Promise<string> {
  const socket = new WebSocket(`ws://${http}${path}`);
  socket.on("error", () => {});
  const answer = await Promise.race([
    once(socket, "open").then(() => "101"),
    once(socket, "unexpected-response").then(([, response]) => {
      return String((response as { headers: Record<string, string> }).headers["holdfast-error"]);
    }),
  ]);
  socket.terminate();
  return answer;
}

/** A command of its own takes its time where other tests run. */
const SLOW = { timeout: 20_000 };

let backends: readonly ArticleBackend[];
let folder: ManifestFolder;
beforeAll(async () => {
  backends = await Promise.all([0, 0, 0].map((port) => ArticleBackend.start(port)));
  const [one, two, three] = backends.map(({ port }) => port);
  folder = await ManifestFolder.create({
    "chat.yaml": [
      service("chat", 80),
      ...endpoints("chat", [one!, two!]),
      route("chat").host("chat.example").prefix("/chat").to("chat", 80).manifest(),
    ],
    "game.yaml": [
      service("game", 80),
      ...endpoints("game", [three!]),
      route("game").prefix("/game").to("game", 80).manifest(),
    ],
  });
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

let holdfast: HoldfastProcess;
let http: string;
let at: readonly string[];
let admin: string;
const clients: Client[] = [];
beforeEach(async () => {
  ({ holdfast, http, admin } = await serveFolder(folder.path, { args: ["--admin", ":0"] }));
  admin = `127.0.0.1:${admin.split(":").at(-1)}`;
  at = ["--admin", admin];
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.terminate();
  await holdfast[Symbol.asyncDispose]();
});

async function open(path: string, count: number): Promise<readonly Client[]> {
  const opened = await Client.many(http, path, count);
  clients.push(...opened);
  return opened;
}

/** What a path of the API lists. */
async function asked<Item>(path: string): Promise<Listed<Item>> {
  return (await fetch(`http://${admin}${path}`)).json() as Promise<Listed<Item>>;
}

async function ready(): Promise<number> {
  return (await fetch(`http://${admin}/readyz`)).status;
}

test("tunnels are listed, filtered and paged, as a table and as JSON", async () => {
  await open("/chat", 4);
  await open("/game", 1);
  const all = await holdfastJson<Listed<Tunnel>>(["tunnels", ...at]);
  expect(all).toMatchObject({ replica: hostname(), total: 5 });
  expect(all.items.map((tunnel) => tunnel.route).toSorted()).toEqual([
    ...Array.from({ length: 4 }, () => "apps/chat"),
    "apps/game",
  ]);
  expect(all.items[0]).toMatchObject({ client: "127.0.0.1", rule: "main", upstream: "apps/chat:80" });
  const game = await holdfastJson<Listed<Tunnel>>([
    "tunnels",
    "--route",
    "apps/game",
    "--client",
    "127.0.0.0/8",
    ...at,
  ]);
  expect(game.items).toEqual([{ ...all.items.at(-1), ageMs: expect.any(Number), idleMs: expect.any(Number) }]);
  expect((await holdfastJson<Listed<Tunnel>>(["tunnels", "--older-than", "1h", ...at])).items).toEqual([]);
  const some = await holdfastJson<Listed<Tunnel>>(["tunnels", "--limit", "3", ...at]);
  expect(some.items.map(({ id }) => id)).toEqual(all.items.slice(0, 3).map(({ id }) => id));
  const rest = await asked<Tunnel>(`/v1/tunnels?cursor=${some.next}`);
  expect(rest.items.map(({ id }) => id)).toEqual(all.items.slice(3).map(({ id }) => id));
  const table = await holdfastCommand(["tunnels", "--route", "apps/game", ...at]);
  expect(table).toMatchObject({ code: 0, err: `replica ${hostname()}: 1 tunnel\n` });
  expect(table.out.split("\n")[0]).toMatch(/^ID +ROUTE +RULE +BACKEND +CLIENT +AGE +IDLE +UP +DOWN$/);
  expect(table.out).toContain(game.items[0]!.id);
});

test("tunnels are closed by a filter, with the code and the reason that the operator says; others are not", async () => {
  const [chat] = await Promise.all([open("/chat", 3), open("/game", 2)]);
  const words = ["--code", "4001", "--reason", "log in again"];
  const closing = await holdfastCommand(["close", "--route", "apps/chat", "--within", "1s", ...words, "--wait", ...at]);
  expect(closing).toMatchObject({
    code: 0,
    out: expect.stringMatching(/close\/1 is done: 3 gone, none left \(route apps\/chat\)/),
  });
  await expect
    .poll(() => chat.map(({ closed }) => closed), SLOW)
    .toEqual(chat.map(() => ({ code: 4001, reason: "log in again" })));
  expect((await holdfastJson<Listed<Tunnel>>(["tunnels", ...at])).total).toBe(2);
  const line = await holdfast.line((found) => found.msg === "tunnel ended" && found["route"] === "apps/chat");
  expect(line).toMatchObject({ by: "holdfast", cause: "admin", codeToClient: 4001, codeToBackend: 1001 });
});

test("one client is closed at once by its id, and asked to come back", async () => {
  const [one, other] = await open("/game", 2);
  const { items } = await holdfastJson<Listed<Tunnel>>(["tunnels", ...at]);
  await holdfastJson(["close", "--id", items[0]!.id, "--wait", ...at]);
  await expect.poll(() => one!.closed ?? other!.closed, SLOW).toEqual({ code: 1012, reason: "" });
  expect((await holdfastJson<Listed<Tunnel>>(["tunnels", ...at])).items.map(({ id }) => id)).toEqual([items[1]!.id]);
});

test("a backend is drained: its tunnels go in time, new ones go elsewhere, and stopping puts it back", async () => {
  const chat = await open("/chat", 10);
  const [target] = (await holdfastJson<Listed<Tunnel>>(["tunnels", "--route", "apps/chat", ...at])).items.map(
    ({ backend }) => backend,
  );
  const draining = holdfastCommand(["drain", "--backend", target!, "--within", "6s", "--wait", ...at]);
  await expect
    .poll(async () => (await asked<object>("/v1/backends?upstream=apps/chat:80")).items, SLOW)
    .toContainEqual(
      expect.objectContaining({ backend: target, state: "cordoned", drain: expect.anything() as unknown }),
    );
  expect((await holdfastJson<Listed<object>>(["drains", ...at])).items).toMatchObject([{ id: `backend/${target}` }]);
  const { code, out, err } = await draining;
  expect({ code, out }).toEqual({
    code: 0,
    out: expect.stringContaining(`backend/${target} is done: 5 gone, none left`),
  });
  // Progress, each second at most.
  expect(err).toMatch(new RegExp(`^backend/${target}: \\d to be told, \\d closing, \\d gone; \\ds left$`, "m"));
  const closed = (): readonly Client[] => chat.filter((client) => client.closed !== undefined);
  await expect.poll(() => closed().map((client) => client.closed?.code), SLOW).toEqual([1012, 1012, 1012, 1012, 1012]);
  await open("/chat", 4);
  const after = await holdfastJson<Listed<Tunnel>>(["tunnels", "--backend", target!, ...at]);
  expect(after.items).toEqual([]);

  expect((await holdfastCommand(["drain", "--backend", target!, "--stop", ...at])).code).toBe(0);
  expect((await holdfastJson<Listed<object>>(["drains", ...at])).items).toEqual([]);
  await open("/chat", 4);
  // It has none and the other has nine: it is the one that new tunnels go to.
  expect((await holdfastJson<Listed<Tunnel>>(["tunnels", "--backend", target!, ...at])).total).toBe(4);
});

test("a drain is slowed down and speeded up by new orders", async () => {
  const game = await open("/game", 20);
  const backend = `127.0.0.1:${backends[2]!.port}`;
  await holdfastJson(["drain", "--backend", backend, "--within", "1h", ...at]);
  expect(game.filter(({ closed }) => closed !== undefined).length).toBeLessThan(2);
  const faster = await holdfastCommand(["drain", "--backend", backend, "--within", "1s", "--wait", ...at]);
  expect(faster.code).toBe(0);
  await expect.poll(() => game.filter(({ closed }) => closed === undefined), SLOW).toEqual([]);
});

test("when the time is up and tunnels are left, whoever waits is told so: exit code 3", async () => {
  await open("/game", 8);
  const backend = `127.0.0.1:${backends[2]!.port}`;
  const late = await holdfastCommand([
    "drain",
    "--backend",
    backend,
    "--within",
    "1s",
    "--per-second",
    "1",
    "--wait",
    ...at,
  ]);
  expect(late).toMatchObject({
    code: 3,
    out: expect.stringMatching(/the time is up, \d left, \d gone; closing goes on/),
  });
  expect((await holdfastJson<Listed<object>>(["drains", ...at])).items).toMatchObject([{ state: "late" }]);
});

test("the process is drained as an application's preStop asks: unready, refusing after the grace, and back when stopped", async () => {
  const game = await open("/game", 6);
  const body = JSON.stringify({ grace: "500ms", within: "2s" });
  const headers = { "content-type": "application/json" };
  const answer = fetch(`http://${admin}/v1/drain`, { method: "POST", headers, body });
  await expect.poll(ready, SLOW).toBe(503);
  await expect.poll(() => handshake(http, "/game"), SLOW).toBe("HF_DRAINING");
  expect(await (await answer).json()).toMatchObject({ replica: hostname(), id: "process", state: "done", waiting: 0 });
  await expect.poll(() => game.map(({ closed }) => closed?.code), SLOW).toEqual(game.map(() => 1012));
  expect(await ready()).toBe(503);
  expect((await holdfastCommand(["drain", "--stop", ...at])).code).toBe(0);
  expect(await ready()).toBe(200);
  expect(await handshake(http, "/game")).toBe("101");
});

test("whoever waits for a drain is answered when the process is told to end meanwhile", async () => {
  await open("/game", 3);
  const waiting = holdfastCommand(["drain", "--within", "1h", "--wait", ...at]);
  await expect.poll(ready, SLOW).toBe(503);
  holdfast.process.kill("SIGINT");
  const { code, out, err } = await waiting;
  expect(code).toBe(1);
  expect(out + err).toMatch(/process was stopped|the process ends/);
  expect(await holdfast.exit()).toEqual({ code: 0, signal: null });
});

test("routes show hosts, matches, backends and tunnels", async () => {
  await open("/chat", 2);
  expect(await holdfastJson(["routes", ...at])).toEqual({
    replica: hostname(),
    items: [
      {
        route: "apps/chat",
        rule: "main",
        hosts: ["chat.example"],
        matches: ["PathPrefix /chat"],
        backends: [{ upstream: "apps/chat:80", weight: 1 }],
        tunnels: 2,
      },
      expect.objectContaining({ route: "apps/game", hosts: ["*"], tunnels: 0 }),
    ],
    total: 2,
  });
});

test("nothing else answers where no Holdfast is", async () => {
  const { code, err } = await holdfastCommand(["tunnels", "--admin", http]);
  expect(code).toBe(1);
  expect(err).toContain("Is it the address of --admin, and not the one that clients connect to?");
});

describe("a unix socket", () => {
  let place: string;
  let socket: string;
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "holdfast-operator-"));
    socket = join(place, "admin.sock");
  });
  afterEach(() => rmSync(place, { recursive: true }));

  const serve = (): HoldfastProcess =>
    new HoldfastProcess(["proxy", "--to", "127.0.0.1:1", "--http", "127.0.0.1:0", "--admin-socket", socket], {});

  async function ask(path: string): Promise<string> {
    const asked = request({ socketPath: socket, path }).end();
    const [response] = (await once(asked, "response")) as [NodeJS.ReadableStream];
    return text(response);
  }

  test("serves operators, health and metrics where the port is off, and only the same user", async () => {
    await using process = serve();
    await process.address("http");
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    const { code, err } = await holdfastCommand(["tunnels", "--admin-socket", socket]);
    expect({ code, err }).toEqual({ code: 0, err: `replica ${hostname()}: 0 tunnels\n` });
    expect(await ask("/readyz")).toBe("ready\n");
    expect(await ask("/metrics")).toContain("holdfast_");
    process.process.kill("SIGINT");
    await process.exit();
    expect(existsSync(socket)).toBe(false);
  });

  test("is taken over from a process that was killed, and not from one that lives", async () => {
    await using first = serve();
    await first.address("http");
    await using second = serve();
    expect(await second.exit()).toMatchObject({ code: 1 });
    expect(second.stderr.join("\n")).toBe(
      `error: cannot listen on ${socket}: a living process listens on it. Choose another path with --admin-socket.`,
    );
    first.process.kill("SIGKILL");
    await first.exit();
    expect(existsSync(socket)).toBe(true);
    await using third = serve();
    await third.address("http");
    expect(await ask("/healthz")).toBe("ok\n");
  });
});

describe.skipIf(!isInNamespace())("from another machine", () => {
  let machine: FarMachine;
  beforeAll(async () => {
    machine = await FarMachine.start();
  });
  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
  });

  test("operators are refused and told what to do; nothing is closed", async () => {
    const there = `${machine.near}:${admin.split(":")[1]}`;
    const [client] = await open("/game", 1);
    for (const command of [["tunnels"], ["close", "--all"], ["drain"], ["drain", "--stop"]]) {
      const { code, err } = await holdfastCommand([...command, "--admin", there], machine.prefix);
      expect(code).toBe(1);
      expect(err).toMatch(
        /^error: the operator's paths are served on this machine only: .*kubectl exec.*--admin-socket/,
      );
    }
    // This machine's own address is no loopback either.
    expect((await holdfastCommand(["tunnels", "--admin", there])).code).toBe(1);
    expect(client!.closed).toBeUndefined();
    expect(await ready()).toBe(200);
    expect((await holdfastJson<Listed<Tunnel>>(["tunnels", ...at])).total).toBe(1);
  });
});
