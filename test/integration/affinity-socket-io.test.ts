import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AffinityStage } from "./fixtures/affinity-stage.ts";
import { KEYS, KeyFolder } from "./fixtures/key-folder.ts";
import type { Visit } from "./fixtures/session-backend-process.ts";
import { homesOf, SessionBackend } from "./fixtures/session-backend.ts";
import { SocketIoClient, type SocketIoOptions } from "./fixtures/socket-io-clients.ts";

const CLIENTS = 30;
const MESSAGES = 5;

let stage: AffinityStage;

beforeEach(async () => {
  stage = await AffinityStage.open(await SessionBackend.startAll(["a", "b", "c"]));
  for (const backend of stage.backends) stage.stack.use(backend);
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

async function connectAll(count: number, http: string, options?: SocketIoOptions): Promise<readonly SocketIoClient[]> {
  const all = Array.from({ length: count }, () => SocketIoClient.connect(http, options));
  return (await Promise.all(all)).map((client) => stage.stack.use(client));
}

async function untilUpgraded(clients: readonly SocketIoClient[]): Promise<void> {
  const left = () => clients.filter(({ transport }) => transport !== "websocket").length;
  await expect.poll(left, { timeout: 20_000 }).toBe(0);
}

/** Has each client asked some times; answers the backend of each, which must be the same each time. */
async function homes(clients: readonly SocketIoClient[]): Promise<readonly string[]> {
  return Promise.all(
    clients.map(async (client) => {
      const names = new Set<string>();
      for (let message = 0; message < MESSAGES; message++) names.add(await client.ask(String(message)));
      expect([...names]).toHaveLength(1);
      return [...names][0]!;
    }),
  );
}

/** Every request of a session met one backend, with our cookie alone. */
async function expectBound(sessions: number): Promise<void> {
  const met = [...(await homesOf(stage.backends)).values()];
  expect(met).toHaveLength(sessions);
  expect(met.filter((names) => names.size !== 1)).toEqual([]);
  const cookies = (await visitsOf()).flat().map(({ cookie }) => cookie);
  expect(cookies.filter((cookie) => !/^seat=[\w-]{22}$/.test(cookie))).toEqual([]);
}

async function visitsOf(): Promise<readonly (readonly Visit[])[]> {
  return Promise.all(stage.backends.map((backend) => backend.visits()));
}

test(`${CLIENTS} clients of socket.io poll first, upgrade, and each has one backend for all its requests`, async () => {
  const { http } = await stage.serve();
  const clients = await connectAll(CLIENTS, http);
  await untilUpgraded(clients);
  expect(new Set(await homes(clients))).toEqual(new Set(["a", "b", "c"]));
  await expectBound(CLIENTS);
  for (const visits of await visitsOf()) {
    const upgraded = visits.filter(({ isUpgrade }) => isUpgrade);
    expect(new Set(upgraded.map(({ session }) => session))).toEqual(new Set(visits.map(({ session }) => session)));
  }
});

test(`${CLIENTS} clients that only poll have one backend each`, async () => {
  const { http } = await stage.serve();
  const clients = await connectAll(CLIENTS, http, { transports: ["polling"] });
  expect(new Set(await homes(clients))).toEqual(new Set(["a", "b", "c"]));
  await expectBound(CLIENTS);
  expect((await visitsOf()).flat().length).toBeGreaterThan(CLIENTS * MESSAGES);
  expect(clients.every(({ isConnected, transport }) => isConnected && transport === "polling")).toBe(true);
});

test("without affinity each of them fails, since its second request meets a backend that knows no such session", async () => {
  await stage.rule({});
  const { http } = await stage.serve();
  for (const transports of [undefined, ["polling" as const]]) {
    for (let count = 0; count < 3; count++) {
      await expect(SocketIoClient.connect(http, transports && { transports })).rejects.toThrow("Session ID unknown");
    }
  }
});

test("two processes that share only the key carry one session between them", async () => {
  const served = [await stage.serve(), await stage.serve()];
  const sessions = new Map<string, Set<number>>();
  const front = await alternately(
    served.map(({ http }) => http),
    (head, process) => {
      const session = /[?&]sid=([^& ]+)/.exec(head)?.[1];
      if (session !== undefined) sessions.set(session, (sessions.get(session) ?? new Set()).add(process));
    },
  );
  const polling = await connectAll(10, front, { transports: ["polling"] });
  const upgrading = await connectAll(10, front);
  await untilUpgraded(upgrading);
  await homes([...polling, ...upgrading]);
  await expectBound(20);
  expect([...sessions.values()].filter((processes) => processes.size === 2).length).toBeGreaterThan(10);
});

test("a process with another key does not know the cookie, one with the same key does", async () => {
  const first = stage.client((await stage.serve()).http);
  const { name } = await first.get("/");
  const same = stage.client((await stage.serve()).http).as(first);
  expect(await same.get("/")).toEqual({ status: 200, name, set: [] });
  const strange = await stage.serve(stage.stack.use(await KeyFolder.create(KEYS[1]!)));
  expect((await stage.client(strange.http).as(first).get("/")).set).toHaveLength(1);
});

/** What takes connections and hands them to the processes in turn; `saw` gets what each begins with. */
async function alternately(
  processes: readonly string[],
  saw: (head: string, process: number) => void,
): Promise<string> {
  let turn = 0;
  const server = createServer((client) => {
    const process = turn++ % processes.length;
    const [host, port] = processes[process]!.split(":");
    const target = connect({ host, port: Number(port) });
    client.once("data", (chunk: Buffer) => saw(chunk.toString("latin1"), process));
    client.on("error", () => target.destroy());
    target.on("error", () => client.destroy());
    client.on("close", () => target.destroy());
    client.pipe(target).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stage.stack.defer(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
