import { describe, expect, test } from "vitest";
import type { HealthSign } from "../routing/index.ts";
import {
  Cleanups,
  entry,
  handshakeHead,
  rawClient,
  startAnswering,
  startProxy,
  type StartedProxy,
  startTcp,
  switchHead,
  textFrame,
} from "./proxy.fixture.ts";

/** The machine may be busy with other tests. */
const PATIENT = { timeout: 10_000 };

/** One bad sign is enough, and none is weighed against what went well. */
function strict(...signs: readonly HealthSign[]): ReturnType<typeof entry> {
  const passive = { signs, failures: 1, ejectMs: 60_000, longestEjectMs: 60_000, maxEjectedPercent: 100 };
  return entry({
    policy: {
      retry: { on: [], attempts: 0, budgetPercent: 0 },
      health: { panicPercent: 0, active: undefined, passive },
    },
  });
}

/** What a backend does once it has the head of a handshake. */
async function behind(
  cleanups: Cleanups,
  serve: Parameters<typeof startTcp>[1],
  ...signs: readonly HealthSign[]
): Promise<{ proxy: StartedProxy; bad: number }> {
  const bad = await startTcp(cleanups, (socket) => {
    socket.once("data", () => serve(socket));
  });
  const good = await startAnswering(cleanups, switchHead());
  return { proxy: await startProxy(cleanups, { backends: [bad, good], entries: [strict(...signs)] }), bad };
}

describe("an answer to a handshake that is none speaks against the backend", () => {
  test.for([
    { name: "a wrong accept", answer: switchHead([], "AAAA"), code: "HF_BAD_SWITCH" },
    { name: "garbage", answer: "\x16\x03\x01", code: "HF_BACKEND_BAD_RESPONSE" },
    { name: "the end of the connection", answer: "", code: "HF_BACKEND_RESET" },
    {
      name: "an unknown coding",
      answer: "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\nabc",
      code: "HF_BACKEND_BAD_RESPONSE",
    },
  ])("$name", async ({ answer, code }) => {
    await using cleanups = new Cleanups();
    const { proxy, bad } = await behind(cleanups, (socket) => socket.end(answer, "latin1"), "BadAnswer");
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain(code);
    expect(proxy.out()).toEqual({ [bad]: "BadAnswer" });
    for (let again = 0; again < 3; again++) {
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      await expect.poll(() => client.text(), PATIENT).toContain(" 101 ");
    }
  });

  test.for([401, 403, 404, 500, 502, 503])("a %i is an answer", async (status) => {
    await using cleanups = new Cleanups();
    const answer = `HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`;
    const { proxy } = await behind(cleanups, (socket) => socket.end(answer), "BadAnswer", "EarlyEnd");
    expect(await rawClient(cleanups, proxy.port, handshakeHead()).whole).toContain(` ${status} `);
    await expect.poll(() => proxy.leases(), PATIENT).toEqual([0, 0]);
    expect(proxy.out()).toEqual({});
  });

  test("a backend that is silent, or whose client gives up, is not judged by that", async () => {
    await using cleanups = new Cleanups();
    const { proxy } = await behind(cleanups, (socket) => socket.resume(), "BadAnswer", "EarlyEnd");
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => proxy.leases(), PATIENT).toEqual([1, 0]);
    client.socket.destroy();
    await expect.poll(() => proxy.leases(), PATIENT).toEqual([0, 0]);
    expect(proxy.out()).toEqual({});
  });
});

describe("a tunnel that its backend ends right after the 101, without a Close, speaks against it", () => {
  test.for([
    { name: "by FIN", end: (socket: Parameters<Parameters<typeof startTcp>[1]>[0]) => void socket.end() },
    { name: "by RST", end: (socket: Parameters<Parameters<typeof startTcp>[1]>[0]) => void socket.resetAndDestroy() },
  ])("$name", async ({ end }) => {
    await using cleanups = new Cleanups();
    const { proxy, bad } = await behind(
      cleanups,
      (socket) => void socket.write(switchHead(), "latin1", () => setImmediate(() => end(socket))),
      "EarlyEnd",
    );
    await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    await expect.poll(() => proxy.seen.ended.map((ended) => ended.end.cause), PATIENT).toEqual(["backend_lost"]);
    // However long the client takes for its part of the end.
    expect(proxy.seen.ended[0]!.end.durationMs).toBeGreaterThan(1_000);
    expect(proxy.out()).toEqual({ [bad]: "EarlyEnd" });
  });

  test("with a Close it does not", async () => {
    await using cleanups = new Cleanups();
    const { proxy } = await behind(
      cleanups,
      (socket) => socket.end(`${switchHead()}\x88\x02\x03\xe8`, "latin1"),
      "EarlyEnd",
    );
    await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    await expect.poll(() => proxy.seen.ended, PATIENT).toHaveLength(1);
    expect(proxy.out()).toEqual({});
  });

  test("later it does not", async () => {
    await using cleanups = new Cleanups();
    let end = (): void => {};
    const { proxy } = await behind(
      cleanups,
      (socket) => {
        socket.write(switchHead(), "latin1");
        end = () => void socket.resetAndDestroy();
      },
      "EarlyEnd",
    );
    const client = rawClient(cleanups, proxy.port, handshakeHead());
    await expect.poll(() => client.text(), PATIENT).toContain(" 101 ");
    const openedMs = performance.now();
    await expect.poll(() => performance.now() - openedMs, { timeout: 3_000 }).toBeGreaterThan(1_050);
    end();
    // 1012, which it answers.
    await expect.poll(() => client.text(), PATIENT).toContain("\x88\x02\x03\xf4");
    client.send("\x88\x82\0\0\0\0\x03\xf4");
    await expect.poll(() => proxy.seen.ended.map((ended) => ended.end.cause), PATIENT).toEqual(["backend_lost"]);
    expect(proxy.out()).toEqual({});
  });

  test.for([
    { name: "closes its connection", leave: (client: ReturnType<typeof rawClient>) => void client.socket.destroy() },
    {
      name: "resets its connection",
      leave: (client: ReturnType<typeof rawClient>) => void client.socket.resetAndDestroy(),
    },
    {
      name: "says Close and is answered by the end of the connection",
      leave: (client: ReturnType<typeof rawClient>) => client.send("\x88\x82\0\0\0\0\x03\xe8"),
    },
    {
      name: "sends what no client may",
      leave: (client: ReturnType<typeof rawClient>) => client.send(textFrame("unmasked", "backend")),
    },
  ])("a client that connects and $name takes no backend out, however often it does", async ({ leave }) => {
    await using cleanups = new Cleanups();
    // As many servers do: whatever comes after the head that is not what it should be ends the connection.
    const { proxy } = await behind(
      cleanups,
      (socket) => {
        socket.write(switchHead(), "latin1");
        socket.on("data", () => socket.resetAndDestroy());
        socket.on("end", () => socket.resetAndDestroy());
      },
      "BadAnswer",
      "EarlyEnd",
    );
    for (let again = 0; again < 10; again++) {
      const client = rawClient(cleanups, proxy.port, handshakeHead());
      await expect.poll(() => client.text(), { ...PATIENT, interval: 5 }).toContain(" 101 ");
      leave(client);
    }
    await expect.poll(() => proxy.seen.ended.length, { timeout: 8_000 }).toBeGreaterThanOrEqual(5);
    expect(proxy.out()).toEqual({});
  });
});
