import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServedOperations } from "./admin.fixture.ts";
import { tunnel } from "./operations.fixture.ts";

let served: ServedOperations;
beforeEach(async () => {
  served = await ServedOperations.start();
  served.operations.tunnelList = [tunnel("a")];
});
afterEach(async () => {
  await served[Symbol.asyncDispose]();
  expect(served.errors).toEqual([]);
});

async function waits(asked: number): Promise<void> {
  await expect.poll(() => served.operations.asked).toBe(asked);
}

test("without wait the answer says what has begun", async () => {
  const { body } = await served.post("/v1/drains", { wait: false });
  expect(body).toMatchObject({ id: "process", state: "running", waiting: 1 });
});

test.for([
  { path: "/v1/drains", body: { wait: true }, id: "process" },
  { path: "/v1/drains", body: { backend: "10.1.0.1:80", wait: true }, id: "backend/10.1.0.1:80" },
  { path: "/v1/tunnels/close", body: { all: true, wait: true }, id: "close/1" },
  // As an application's preStop asks, which says nothing.
  { path: "/v1/drain", body: {}, id: "process" },
])("the answer of $path with $body comes when the drain is over", async ({ path, body, id }) => {
  let answered = false;
  const answer = served.post(path, body).finally(() => (answered = true));
  await waits(1);
  // Others are served meanwhile.
  expect((await served.ask("/v1/drains")).body.items).toMatchObject([{ id, state: "running" }]);
  expect(answered).toBe(false);
  served.operations.end(id, { state: "late", waiting: 0, closing: 2, gone: 9, endsInMs: -1 });
  expect((await answer).body).toMatchObject({ replica: "holdfast-1", id, state: "late", closing: 2, gone: 9 });
});

test("a sidecar that wants no answer to wait for says so", async () => {
  expect((await served.post("/v1/drain", { wait: false })).body).toMatchObject({ state: "running" });
});

test("a closing of nobody is over at once, and nobody waits for it", async () => {
  const { status, body } = await served.post("/v1/tunnels/close", { id: "nobody", wait: true });
  expect({ status, state: body.state }).toEqual({ status: 200, state: "done" });
  expect(served.operations.asked).toBe(0);
});

test("many wait for one drain, and each is answered", async () => {
  const answers = Array.from({ length: 20 }, () => served.post("/v1/drain", {}));
  await expect.poll(() => served.operations.orders.length).toBe(20);
  await waits(1);
  served.operations.end("process", { state: "done" });
  for (const { body } of await Promise.all(answers)) expect(body).toMatchObject({ state: "done" });
});

test("clients that go away while they wait leave nothing, and make room for others", async () => {
  for (let round = 0; round < 3; round += 1) {
    const away = new AbortController();
    const gone = Array.from({ length: 64 }, () =>
      fetch(`http://127.0.0.1:${served.port}/v1/drain`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        signal: away.signal,
      }).catch(() => "gone"),
    );
    await expect.poll(() => served.operations.orders.length).toBe(64 * (round + 1));
    const refused = await served.post("/v1/drain", {});
    expect(refused.status).toBe(429);
    expect(refused.body.error).toMatchObject({ code: "too_many_waiting" });
    served.operations.orders.pop();
    away.abort();
    await Promise.all(gone);
    // Until the server has heard of the last one.
    await expect.poll(async () => (await served.ask("/v1/drains")).status).toBe(200);
    await expect
      .poll(async () => {
        const one = new AbortController();
        const asked = served.ask("/v1/drain", {
          method: "POST",
          headers: { "content-type": "application/json" },
          signal: one.signal,
        });
        const first = await Promise.race([
          asked.then(({ status }) => status).catch(() => 0),
          served.ask("/v1/drains").then(() => "waits"),
        ]);
        one.abort();
        await asked.catch(() => {});
        return first;
      })
      .toBe("waits");
    served.operations.orders.length = 64 * (round + 1);
  }
  // However many came and went: the drain was asked once.
  expect(served.operations.asked).toBe(1);
});

test("when the process ends, whoever waits is told", async () => {
  const answer = served.post("/v1/drain", {});
  await waits(1);
  await served.server.stop();
  const { status, body } = await answer;
  expect(status).toBe(503);
  expect(body.error).toMatchObject({ code: "process_ends" });
});

test("a body that never comes whole is not waited for without end", { timeout: 15_000 }, async () => {
  const socket = connect(served.port, "127.0.0.1");
  socket.on("error", () => {});
  const head =
    "POST /v1/drain HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
  socket.write(`${head}{`);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  await new Promise((resolve) => socket.once("close", resolve));
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  expect(served.operations.orders).toEqual([]);
});
