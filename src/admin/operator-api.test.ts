import { afterEach, beforeEach, expect, test } from "vitest";
import { ask, ServedOperations } from "./admin.fixture.ts";
import { backend, rule, tunnel } from "./operations.fixture.ts";

let served: ServedOperations;
beforeEach(async () => {
  served = await ServedOperations.start();
});
afterEach(async () => {
  await served[Symbol.asyncDispose]();
  expect(served.errors).toEqual([]);
});

const ids = (list: readonly { readonly id: string }[]): readonly string[] => list.map(({ id }) => id);

test("tunnels come with all that is known of them, the oldest first, and the replica's name", async () => {
  served.operations.tunnelList = [tunnel("young", { ageMs: 5 }), tunnel("old", { ageMs: 500 })];
  const { status, headers, body } = await served.ask("/v1/tunnels");
  expect(status).toBe(200);
  expect(headers).toMatchObject({ "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
  expect(body).toEqual({
    replica: "holdfast-1",
    items: [tunnel("old", { ageMs: 500 }), tunnel("young", { ageMs: 5 })],
    total: 2,
  });
});

test("the unix socket serves the same, and health and metrics as well", async () => {
  served.operations.tunnelList = [tunnel("a")];
  const at = { socketPath: served.socketPath };
  expect((await ask({ ...at, path: "/v1/tunnels" }, {})).body).toMatchObject({ total: 1 });
  // The name in a Host header says nothing about who may open a file.
  expect((await ask({ ...at, path: "/v1/tunnels" }, { headers: { host: "anything" } })).status).toBe(200);
  await expect(ask({ ...at, path: "/metrics" }, {})).rejects.toThrow(/some_metric/);
});

test.for([
  { query: "route=apps/chat", want: ["a", "b"] },
  { query: "rule=second", want: ["b"] },
  { query: "upstream=apps/game:80", want: ["c"] },
  { query: "backend=10.1.0.2:8010", want: ["b"] },
  { query: "backend=%5B2001:db8::1%5D:80", want: ["c"] },
  { query: "client=10.0.0.0/8", want: ["a"] },
  { query: "client=2001:db8::/32", want: ["c"] },
  { query: "id=c", want: ["c"] },
  { query: "olderThan=1m", want: ["a", "b"] },
  { query: "olderThan=1h30m", want: ["b"] },
  { query: "idleFor=10s&route=apps/chat", want: ["b"] },
  { query: "route=apps/none", want: [] },
])("tunnels by $query", async ({ query, want }) => {
  served.operations.tunnelList = [
    tunnel("a", { ageMs: 60_000, idleMs: 9_999 }),
    tunnel("b", { rule: "second", backend: "10.1.0.2:8010", client: "192.0.2.1", ageMs: 5_400_000, idleMs: 10_000 }),
    tunnel("c", {
      route: "apps/game",
      upstream: "apps/game:80",
      backend: "[2001:db8::1]:80",
      client: "2001:db8::9",
      ageMs: 59_999,
      idleMs: 20_000,
    }),
  ];
  const { body } = await served.ask(`/v1/tunnels?${query}`);
  expect(ids(body.items).toSorted()).toEqual(want);
  expect(body.total).toBe(want.length);
});

test("pages follow one another by their cursor, and what came and went meanwhile harms none", async () => {
  const list = Array.from({ length: 7 }, (_, index) => tunnel(`t${index}`, { ageMs: 100 - index }));
  served.operations.tunnelList = list;
  const first = await served.ask("/v1/tunnels?limit=3");
  expect(ids(first.body.items)).toEqual(["t0", "t1", "t2"]);
  // The last one shown is gone, and a new one came.
  served.operations.tunnelList = [...list.filter(({ id }) => id !== "t2"), tunnel("t7", { ageMs: 1 })];
  const second = await served.ask(`/v1/tunnels?limit=3&cursor=${first.body.next}`);
  expect(ids(second.body.items)).toEqual(["t3", "t4", "t5"]);
  const third = await served.ask(`/v1/tunnels?limit=3&cursor=${second.body.next}`);
  expect(ids(third.body.items)).toEqual(["t6", "t7"]);
  expect(third.body).not.toHaveProperty("next");
});

test("a page has 100 of them unless asked for more, and 1000 at most", async () => {
  served.operations.tunnelList = Array.from({ length: 1_200 }, (_, index) => tunnel(`t${index}`, { ageMs: index }));
  expect((await served.ask("/v1/tunnels")).body.items).toHaveLength(100);
  expect((await served.ask("/v1/tunnels?limit=1000")).body).toMatchObject({ total: 1_200 });
  expect((await served.ask("/v1/tunnels?limit=1001")).status).toBe(400);
});

test("backends, by upstream", async () => {
  const drain = { left: 2, closed: 1, endsInMs: 9_000 };
  const leaving = backend("10.1.0.2:80", { upstream: "apps/game:80", state: "terminating", drain });
  served.operations.backendList = [leaving, backend("10.1.0.1:80")];
  expect((await served.ask("/v1/backends")).body).toMatchObject({
    replica: "holdfast-1",
    total: 2,
    items: [{ backend: "10.1.0.1:80" }, { backend: "10.1.0.2:80" }],
  });
  expect((await served.ask("/v1/backends?upstream=apps/game:80")).body.items).toEqual([leaving]);
});

test("routes, by name, in pages", async () => {
  served.operations.ruleList = ["c", "a", "b"].map((name) => rule("apps/chat", name));
  const first = await served.ask("/v1/routes?route=apps/chat&limit=2");
  expect(first.body.items).toEqual([rule("apps/chat", "a"), rule("apps/chat", "b")]);
  const second = await served.ask(`/v1/routes?route=apps/chat&limit=2&cursor=${first.body.next}`);
  expect(second.body.items).toEqual([rule("apps/chat", "c")]);
});

test.for([
  {
    name: "one client goes at once",
    body: { id: "abc" },
    orders: { withinMs: 0, perSecond: 100, closeCode: 1012, closeReason: "" },
  },
  {
    name: "with a time there is no other bound",
    body: { id: "abc", within: "1m" },
    orders: { withinMs: 60_000, perSecond: 0, closeCode: 1012, closeReason: "" },
  },
  {
    name: "code, reason and pace are as asked for",
    body: { id: "abc", within: "0s", perSecond: 7, code: 4001, reason: "moved: log in again" },
    orders: { withinMs: 0, perSecond: 7, closeCode: 4001, closeReason: "moved: log in again" },
  },
])("close: $name", async ({ body, orders }) => {
  served.operations.tunnelList = [tunnel("abc")];
  const answer = await served.post("/v1/tunnels/close", body);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    replica: "holdfast-1",
    id: "close/1",
    reason: "operator",
    target: "id abc",
    state: "running",
    waiting: 1,
    closing: 0,
    gone: 0,
    ageMs: 0,
    endsInMs: 25_000,
  });
  expect(served.operations.orders).toMatchObject([{ what: "close", of: { id: "abc" }, orders }]);
});

test("close takes every filter that a list takes", async () => {
  const fields = { route: "a/b", rule: "0", upstream: "a/b:1", backend: "10.0.0.1:1", client: "10.0.0.0/8" };
  await served.post("/v1/tunnels/close", { ...fields, olderThan: "1h", idleFor: "500ms" });
  await served.post("/v1/tunnels/close", { all: true });
  expect(served.operations.orders.map(({ of }) => JSON.parse(JSON.stringify(of)) as unknown)).toEqual([
    { ...fields, minAgeMs: 3_600_000, minIdleMs: 500 },
    {},
  ]);
});

test.for([
  {
    name: "of a backend, in the time that rules give",
    body: { backend: "10.1.0.1:8010" },
    order: { what: "backend", of: "10.1.0.1:8010", orders: { withinMs: 25_000, perSecond: 0, closeCode: 1012 } },
  },
  {
    name: "of the process, as SIGTERM would",
    body: {},
    order: { what: "process", orders: { withinMs: 25_000, graceMs: 15_000, closeCode: 1012, closeReason: "" } },
  },
  {
    name: "of the process in a short time: at most half of it is grace",
    body: { within: "10s" },
    order: { what: "process", orders: { withinMs: 10_000, graceMs: 5_000 } },
  },
  {
    name: "of the process, with a grace of its own",
    body: { within: "1m", grace: "2s", perSecond: 5, code: 1001, reason: "maintenance" },
    order: {
      what: "process",
      orders: { withinMs: 60_000, graceMs: 2_000, perSecond: 5, closeCode: 1001, closeReason: "maintenance" },
    },
  },
])("drain $name", async ({ body, order }) => {
  expect((await served.post("/v1/drains", body)).body).toMatchObject({ replica: "holdfast-1", state: "running" });
  expect(served.operations.orders).toMatchObject([order]);
});

test("drains are listed and stopped by id, with or without its slash escaped", async () => {
  await served.post("/v1/drains", { backend: "10.1.0.1:8010" });
  await served.post("/v1/drains", {});
  expect(ids((await served.ask("/v1/drains")).body.items)).toEqual(["backend/10.1.0.1:8010", "process"]);
  expect(ids((await served.ask("/v1/drains?id=process")).body.items)).toEqual(["process"]);
  const one = await served.ask("/v1/drains/backend%2F10.1.0.1%3A8010", { method: "DELETE" });
  expect(one.body).toMatchObject({ replica: "holdfast-1", id: "backend/10.1.0.1:8010", state: "stopped" });
  await served.post("/v1/drains", { backend: "10.1.0.1:8010" });
  const again = await served.ask("/v1/drains/backend/10.1.0.1:8010", { method: "DELETE" });
  expect(again.body).toMatchObject({ state: "stopped" });
  expect(ids((await served.ask("/v1/drains")).body.items)).toEqual(["process"]);
});

const post = { "content-type": "application/json" };

test.for([
  { name: "an unknown path", path: "/v1/tunnel", error: { code: "not_found" }, status: 404 },
  { name: "the prefix alone", path: "/v1", error: { code: "not_found" }, status: 404 },
  { name: "a wrong method", path: "/v1/tunnels", method: "POST", error: { code: "method_not_allowed" }, status: 405 },
  { name: "GET where something changes", path: "/v1/drain", error: { code: "method_not_allowed" }, status: 405 },
  {
    name: "an unknown parameter",
    path: "/v1/tunnels?rout=a/b",
    error: { code: "unknown_field", field: "rout", message: expect.stringContaining("known: route, rule") },
    status: 400,
  },
  {
    name: "a parameter twice",
    path: "/v1/tunnels?id=a&id=b",
    error: { code: "bad_field", field: "id", message: "id may be given once only" },
    status: 400,
  },
  { name: "a route without namespace", path: "/v1/tunnels?route=chat", error: { field: "route" }, status: 400 },
  { name: "an upstream without port", path: "/v1/backends?upstream=a/b", error: { field: "upstream" }, status: 400 },
  { name: "a backend without port", path: "/v1/tunnels?backend=10.0.0.1", error: { field: "backend" }, status: 400 },
  { name: "a backend by name", path: "/v1/tunnels?backend=pod:80", error: { field: "backend" }, status: 400 },
  {
    name: "a client that is no address",
    path: "/v1/tunnels?client=10.0.0.0/40",
    error: { field: "client", message: "client must be an address, or a range such as 10.0.0.0/8" },
    status: 400,
  },
  {
    name: "an age that is no duration",
    path: "/v1/tunnels?olderThan=5",
    error: { field: "olderThan", message: "olderThan must be a duration such as 500ms, 10s, 1m30s or 1h" },
    status: 400,
  },
  { name: "a limit of nothing", path: "/v1/tunnels?limit=0", error: { field: "limit" }, status: 400 },
  { name: "a limit in hexadecimal", path: "/v1/tunnels?limit=0x10", error: { field: "limit" }, status: 400 },
  {
    name: "a cursor from nowhere",
    path: "/v1/tunnels?cursor=abc",
    error: { field: "cursor", message: "cursor must be `next` of an answer of this path; leave it out to begin anew" },
    status: 400,
  },
  {
    name: "a cursor of another list",
    path: `/v1/routes?cursor=${Buffer.from("[1,1]").toString("base64url")}`,
    error: { field: "cursor" },
    status: 400,
  },
  {
    name: "a drain that is not there",
    path: "/v1/drains/close/9",
    method: "DELETE",
    error: { code: "no_such_drain" },
    status: 404,
  },
  {
    name: "a drain of a rule's policy",
    path: "/v1/drains/auto/7",
    method: "DELETE",
    error: { code: "not_an_operators", message: expect.stringContaining("WebSocketRoute") },
    status: 409,
  },
  {
    name: "a broken escape in an id",
    path: "/v1/drains/%ff",
    method: "DELETE",
    error: { code: "not_found" },
    status: 404,
  },
  { name: "no id", path: "/v1/drains/", method: "DELETE", error: { code: "not_found" }, status: 404 },
  {
    name: "a body without its type",
    path: "/v1/drain",
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: "{}",
    error: {
      code: "content_type",
      field: "content-type",
      message: "send the header content-type: application/json and a JSON object, {} for none",
    },
    status: 415,
  },
  {
    name: "a form of a web page",
    path: "/v1/drain",
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "a=b",
    error: { code: "content_type" },
    status: 415,
  },
  {
    name: "a body that is no JSON",
    path: "/v1/drain",
    method: "POST",
    headers: post,
    body: "{within",
    error: { code: "bad_json", message: expect.stringContaining("the body is no JSON") },
    status: 400,
  },
  {
    name: "a body that is a list",
    path: "/v1/drain",
    method: "POST",
    headers: post,
    body: "[]",
    error: { code: "bad_json", message: "the body must be a JSON object, {} for none" },
    status: 400,
  },
  {
    name: "a query where the body says all",
    path: "/v1/drain?within=1s",
    method: "POST",
    headers: post,
    body: "{}",
    error: { code: "unknown_field", field: "within" },
    status: 400,
  },
])("$name is answered with $status and says why", async ({ path, error, status, ...options }) => {
  const answer = await served.ask(path, options);
  expect(answer.status).toBe(status);
  expect(answer.body).toEqual({
    replica: "holdfast-1",
    error: expect.objectContaining({ code: "bad_field", message: expect.stringMatching(/\w/), ...error }) as unknown,
  });
  expect(served.operations.orders).toEqual([]);
});

test.for([
  {
    name: "close without any filter",
    path: "/v1/tunnels/close",
    body: {},
    error: { code: "bad_request", field: "all", message: expect.stringContaining("all: true") },
  },
  {
    name: "close of all, with a filter",
    path: "/v1/tunnels/close",
    body: { all: true, id: "a" },
    error: { code: "bad_request", field: "all" },
  },
  { name: "all: false", path: "/v1/tunnels/close", body: { all: false }, error: { field: "all" } },
  { name: "a code that may not be sent", path: "/v1/drain", body: { code: 1006 }, error: { field: "code" } },
  { name: "a code that is text", path: "/v1/drain", body: { code: "1012" }, error: { field: "code" } },
  { name: "a reason too long", path: "/v1/drain", body: { reason: "x".repeat(124) }, error: { field: "reason" } },
  { name: "a reason with a line break", path: "/v1/drain", body: { reason: "a\nb" }, error: { field: "reason" } },
  { name: "a time that is a number", path: "/v1/drains", body: { within: 5 }, error: { field: "within" } },
  { name: "a time beyond a timer's", path: "/v1/drains", body: { within: "597h" }, error: { field: "within" } },
  { name: "a pace below 0", path: "/v1/drains", body: { perSecond: -1 }, error: { field: "perSecond" } },
  { name: "half a tunnel a second", path: "/v1/drains", body: { perSecond: 0.5 }, error: { field: "perSecond" } },
  { name: "wait in words", path: "/v1/drains", body: { wait: "yes" }, error: { field: "wait" } },
  {
    name: "a grace as long as the time",
    path: "/v1/drains",
    body: { grace: "10s", within: "10s" },
    error: { code: "bad_request", field: "grace" },
  },
  {
    name: "a grace for a backend",
    path: "/v1/drains",
    body: { backend: "10.0.0.1:80", grace: "1s" },
    error: { code: "bad_request", field: "grace" },
  },
  {
    name: "a backend where all is meant",
    path: "/v1/drain",
    body: { backend: "10.0.0.1:80" },
    error: { field: "backend", code: "unknown_field" },
  },
  {
    name: "a field that is not there",
    path: "/v1/tunnels/close",
    body: { id: "a", codes: 1012 },
    error: { code: "unknown_field", field: "codes", message: expect.stringContaining("known: route") },
  },
])("an order is refused whole: $name", async ({ path, body, error }) => {
  const answer = await served.post(path, body);
  expect(answer.status).toBe(400);
  expect(answer.body.error).toMatchObject({ code: "bad_field", ...error });
  expect(answer.body.error.message).toMatch(/\w+ \w+/);
  expect(served.operations.orders).toEqual([]);
});

test("a body beyond 8 KiB is refused, and the connection ends with the answer", async () => {
  const answer = await served.post("/v1/drain", { reason: "x".repeat(100_000) });
  expect(answer.status).toBe(413);
  expect(answer.headers.connection).toBe("close");
  expect(answer.body.error).toEqual({ code: "body_too_large", message: "a body may have 8192 bytes at most" });
  expect((await served.post("/v1/drains", { reason: "x".repeat(100) })).status).toBe(200);
});

test("an empty body says nothing more", async () => {
  expect((await served.post("/v1/drains", "")).status).toBe(200);
  expect(served.operations.orders).toHaveLength(1);
});
