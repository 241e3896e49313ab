import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServedOperations } from "../admin/admin.fixture.ts";
import { backend, rule, tunnel } from "../admin/operations.fixture.ts";
import { type AdminTarget, type OperatorOrder, operate } from "./index.ts";

let served: ServedOperations;
const cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  served = await ServedOperations.start();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await served[Symbol.asyncDispose]();
});

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(what: OperatorOrder["what"], options: Partial<Omit<OperatorOrder, "what">> = {}): Promise<Said> {
  let out = "";
  let err = "";
  const at: AdminTarget = { kind: "tcp", host: "127.0.0.1", port: served.port };
  const output = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await operate({ at, output: "table", ...options, what }, { output, progressMs: 10 });
  return { code, out, err };
}

const list = (name: "tunnels" | "backends" | "routes" | "drains", limit = 100): OperatorOrder["what"] => ({
  kind: "list",
  list: name,
  query: {},
  limit,
});

test("tunnels as a table, numbers by their last digit; which replica it was stands beside it", async () => {
  served.operations.tunnelList = [
    tunnel("Ab3", { ageMs: 3_725_000, idleMs: 850, bytesUp: 1_536, bytesDown: 12 * 2 ** 20 }),
    tunnel("C", { client: "2001:db8::1", backend: "[2001:db8::2]:80", ageMs: 59_999 }),
  ];
  expect(await run(list("tunnels"))).toEqual({
    code: 0,
    out: `ID   ROUTE      RULE  BACKEND           CLIENT        AGE   IDLE     UP  DOWN
Ab3  apps/chat  main  10.1.0.1:8010     10.0.0.1     1h2m  850ms  1.5Ki  12Mi
C    apps/chat  main  [2001:db8::2]:80  2001:db8::1   59s     1s     10    20
`,
    err: "replica holdfast-1: 2 tunnels\n",
  });
});

test("backends with their drains, routes, drains as tables", async () => {
  const drain = { left: 3, closed: 12, endsInMs: -1_500 };
  served.operations.backendList = [backend("10.1.0.1:80"), backend("10.1.0.2:80", { state: "terminating", drain })];
  expect((await run(list("backends"))).out).toBe(
    `UPSTREAM      BACKEND      STATE        FOR  TUNNELS  PENDING  LEFT  CLOSED  ENDS IN
apps/chat:80  10.1.0.1:80  accepting     5s        3        0     -       -        -
apps/chat:80  10.1.0.2:80  terminating   5s        3        0     3      12      -1s
`,
  );
  const backends = ["a", "b", "c"].map((name) => ({ upstream: `apps/${name}:80`, weight: 1 }));
  served.operations.ruleList = [rule("apps/chat", "main", { backends })];
  expect((await run(list("routes"))).out).toBe(
    `ROUTE      RULE  HOSTS             MATCHES       BACKENDS                                 TUNNELS
apps/chat  main  chat.example.com  PathPrefix /  apps/a:80 (1); apps/b:80 (1) and 1 more        3
`,
  );
  served.operations.drainBackend("10.1.0.2:80", { withinMs: 1, perSecond: 0, closeCode: 1012, closeReason: "" });
  expect((await run(list("drains"))).out).toBe(
    `ID                   REASON    STATE    WAITING  CLOSING  GONE  ENDS IN  TARGET
backend/10.1.0.2:80  operator  running        0        0     0      25s  backend 10.1.0.2:80
`,
  );
});

test("an empty list is its headings", async () => {
  expect(await run(list("drains"))).toMatchObject({ code: 0, err: "replica holdfast-1: 0 drains\n" });
});

test("json is what the paths answer", async () => {
  served.operations.tunnelList = [tunnel("a"), tunnel("b")];
  const { out, err, code } = await run(list("tunnels"), { output: "json" });
  expect(JSON.parse(out)).toEqual({ replica: "holdfast-1", items: [tunnel("a"), tunnel("b")], total: 2 });
  expect({ err, code }).toEqual({ err: "", code: 0 });
});

test.for([
  { limit: 5, shown: 5, more: true },
  { limit: 2_500, shown: 2_500, more: false },
  { limit: 0, shown: 2_500, more: false },
  { limit: 1_700, shown: 1_700, more: true },
])("a limit of $limit shows $shown of 2500, page by page", async ({ limit, shown, more }) => {
  served.operations.tunnelList = Array.from({ length: 2_500 }, (_, index) =>
    tunnel(`t${index}`, { ageMs: 9_999 - index }),
  );
  const { out } = await run(list("tunnels", limit), { output: "json" });
  const answer = JSON.parse(out) as { items: { id: string }[]; total: number; next?: string };
  expect(answer.items.map(({ id }) => id)).toEqual(Array.from({ length: shown }, (_, index) => `t${index}`));
  expect(answer.total).toBe(2_500);
  expect("next" in answer).toBe(more);
  const table = await run(list("tunnels", limit));
  expect(table.err).toBe(
    more
      ? `replica holdfast-1: 2500 tunnels, the first ${shown} of them shown (--limit 0 shows all)\n`
      : "replica holdfast-1: 2500 tunnels\n",
  );
});

test("a filter goes with every page", async () => {
  served.operations.tunnelList = [tunnel("a"), tunnel("b", { route: "apps/game" })];
  const { out } = await run({ kind: "list", list: "tunnels", query: { route: "apps/game" }, limit: 0 });
  expect(out.split("\n")).toHaveLength(3);
  expect(out).toContain("apps/game");
});

test("what a terminal would obey is not passed on to it", async () => {
  served.operations.tunnelList = [tunnel("a", { rule: "\u001b[2Jx\n\u009b" })];
  expect((await run(list("tunnels"))).out).toContain("?[2Jx??");
});

const close = (wait: boolean, body: Readonly<Record<string, unknown>> = { all: true }): OperatorOrder["what"] => ({
  kind: "drain",
  path: "/v1/tunnels/close",
  body,
  wait,
});
const drain = (wait: boolean, body: Readonly<Record<string, unknown>> = {}): OperatorOrder["what"] => ({
  kind: "drain",
  path: "/v1/drains",
  body,
  wait,
});

test("what begins is said, with the replica and how long it takes", async () => {
  served.operations.tunnelList = [tunnel("a"), tunnel("b")];
  expect(await run(close(false, { client: "10.0.0.1" }))).toEqual({
    code: 0,
    out: "replica holdfast-1: close/1 closes 2 tunnels (client 10.0.0.1), the last one in 25s\n",
    err: "",
  });
  const { out } = await run(drain(false, { backend: "10.1.0.1:80", within: "1m" }), { output: "json" });
  expect(JSON.parse(out)).toMatchObject({ replica: "holdfast-1", id: "backend/10.1.0.1:80", state: "running" });
  expect(served.operations.orders.map(({ what }) => what)).toEqual(["close", "backend"]);
});

test.for([
  { state: "done", counts: { waiting: 0, gone: 2 }, code: 0, words: "process is done: 2 gone, none left" },
  { state: "late", counts: { waiting: 0, closing: 1, gone: 1 }, code: 3, words: "the time is up, 1 left, 1 gone" },
  { state: "stopped", counts: { waiting: 2, closing: 0 }, code: 1, words: "process was stopped: 0 gone, 2 left" },
] as const)("whoever waits hears the end, $state with exit code $code, and progress before", async (wanted) => {
  served.operations.tunnelList = [tunnel("a"), tunnel("b")];
  let out = "";
  let err = "";
  const output = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const at: AdminTarget = { kind: "socket", path: served.socketPath };
  const ended = operate({ at, output: "table", what: drain(true) }, { output, progressMs: 10 });
  await expect.poll(() => err).toContain("process: 2 to be told, 0 closing, 0 gone; 25s left\n");
  served.operations.change("process", { waiting: 1, closing: 1 });
  await expect.poll(() => err).toContain("process: 1 to be told, 1 closing, 0 gone; 25s left\n");
  served.operations.end("process", { state: wanted.state, ...wanted.counts });
  expect(await ended).toBe(wanted.code);
  expect(out).toMatch(/^replica holdfast-1: process/);
  expect(out).toContain(wanted.words);
  // It is asked for again and again, and said when it has changed.
  expect(err.match(/2 to be told/g)).toHaveLength(1);
});

test("the progress of a closing is that of the one just begun", async () => {
  served.operations.tunnelList = [tunnel("a")];
  await run(close(false));
  let err = "";
  const output = { out: () => {}, err: (text: string) => void (err += text) };
  const at: AdminTarget = { kind: "tcp", host: "127.0.0.1", port: served.port };
  const ended = operate({ at, output: "table", what: close(true) }, { output, progressMs: 10 });
  await expect.poll(() => err).toContain("close/2: 1 to be told");
  served.operations.end("close/2", { state: "done", waiting: 0, gone: 1 });
  expect(await ended).toBe(0);
  expect(err).not.toContain("close/1");
});

test("a drain is stopped by its id", async () => {
  await run(drain(false, { backend: "10.1.0.1:80" }));
  expect(await run({ kind: "stop", id: "backend/10.1.0.1:80" })).toMatchObject({
    code: 0,
    out: "replica holdfast-1: backend/10.1.0.1:80 was stopped: 0 gone, 0 left (backend 10.1.0.1:80)\n",
  });
  expect(await run({ kind: "stop", id: "backend/10.1.0.1:80" })).toEqual({
    code: 1,
    out: "",
    err: "error: no drain of that id is under way on this replica; GET /v1/drains lists them\n",
  });
});

test("a value that is wrong is said in the words of the answer, with the code of wrong usage", async () => {
  expect(await run({ kind: "list", list: "tunnels", query: { client: "me" }, limit: 1 })).toEqual({
    code: 2,
    out: "",
    err: "error: client must be an address, or a range such as 10.0.0.0/8\n",
  });
  expect((await run(drain(true, { code: 1006 }))).code).toBe(2);
});

test("a process that ends while it is waited for says so", async () => {
  served.operations.tunnelList = [tunnel("a")];
  const ended = run(drain(true));
  await expect.poll(() => served.operations.asked).toBe(1);
  await served.server.stop();
  expect(await ended).toMatchObject({ code: 1, err: expect.stringContaining("error: the process ends") });
});

async function listening(server: Server): Promise<AdminTarget> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { kind: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

test("where nothing listens, the address that was tried and the flags that help are said", async () => {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const hint = "Say with --admin <address> or --admin-socket <path> where a Holdfast serves its operators.";
  expect(await run(list("tunnels"), { at: { kind: "tcp", host: "127.0.0.1", port } })).toEqual({
    code: 1,
    out: "",
    err: `error: cannot reach Holdfast at 127.0.0.1:${port}: nothing listens there. ${hint}\n`,
  });
  const path = join(served.folder, "none.sock");
  expect(await run(drain(true), { at: { kind: "socket", path } })).toEqual({
    code: 1,
    out: "",
    err: `error: cannot reach Holdfast at ${path}: there is no such socket. ${hint}\n`,
  });
});

test.for([
  { name: "a page for people", status: 200, body: "<html>" },
  { name: "JSON of another kind", status: 200, body: '{"items": 5}' },
  { name: "items of another kind", status: 200, body: '{"replica":"x","total":1,"items":[{"id":5}]}' },
  { name: "the 404 of a proxy", status: 404, body: "not found" },
  { name: "an error of another kind", status: 500, body: '{"error":"no"}' },
])("a stranger that answers with $name is told from a Holdfast", async ({ status, body }) => {
  const at = await listening(createServer((_request, response) => response.writeHead(status).end(body)));
  const { code, err } = await run(list("tunnels"), { at });
  expect(code).toBe(1);
  expect(err).toMatch(
    new RegExp(`^error: what answers at 127.0.0.1:[0-9]+ \\(HTTP ${status}\\) does not serve operators`),
  );
});

test("a list that says that there is always more ends all the same", async () => {
  const body = JSON.stringify({ replica: "x", total: 9, items: [], next: "abc" });
  const at = await listening(createServer((_request, response) => response.end(body)));
  expect((await run(list("tunnels", 0), { at })).code).toBe(0);
});

test("a connection that ends without an answer is said in words", async () => {
  const at = await listening(createServer((request) => request.socket.destroy()));
  expect((await run(drain(true), { at })).err).toContain("the connection ended before an answer came");
});
