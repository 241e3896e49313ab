import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { FloodingBackend } from "./fixtures/flooding-backend.ts";
import { HoldfastProcess, proxyTo, started } from "./fixtures/holdfast.ts";
import { descriptors, residentBytes } from "./fixtures/process-facts.ts";
import { dialRaw, exchange } from "./fixtures/raw.ts";
import { gauge } from "./fixtures/scrape.ts";
import { stallAt, type StalledReader } from "./fixtures/stalled-reader.ts";

const MIB = 1024 * 1024;
const PLAIN = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** A tunnel that was opened, or the answer instead of it. */
interface Attempt {
  readonly socket: WebSocket;
  /** 101 if it was opened. */
  readonly status: number;
  readonly code: string | undefined;
  readonly retryAfter: string | undefined;
}

async function attempt(http: string): Promise<Attempt> {
  const socket = new WebSocket(`ws://${http}/`);
  socket.on("error", () => {});
  return new Promise((resolve) => {
    socket.once("open", () => resolve({ socket, status: 101, code: undefined, retryAfter: undefined }));
    socket.once("unexpected-response", (_request, response) => {
      const { "holdfast-error": code, "retry-after": retryAfter } = response.headers;
      response.resume();
      resolve({ socket, status: response.statusCode ?? 0, code: code as string | undefined, retryAfter });
    });
    socket.once("close", () => resolve({ socket, status: 0, code: undefined, retryAfter: undefined }));
  });
}

async function echo({ socket }: Attempt, text: string): Promise<string> {
  socket.send(text);
  const [reply] = (await once(socket, "message")) as [Buffer];
  return reply.toString();
}

describe("more waits for slow readers than the budget allows", () => {
  const FLOOD_BYTES = 24 * MIB;
  let backend: FloodingBackend;
  let holdfast: HoldfastProcess;
  let http: string;
  let admin: string;
  beforeAll(async () => {
    backend = await FloodingBackend.start(FLOOD_BYTES);
    ({ holdfast, http, admin } = await proxyTo([`127.0.0.1:${backend.port}`], ["--buffer-budget", "2Mi"]));
  });
  afterAll(async () => {
    await holdfast[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });

  const buffered = async (): Promise<number> => (await gauge(admin, "holdfast_buffered_bytes")) ?? 0;

  /** One reader after the other stalls, each until its bytes wait, up to the first that is not let in. */
  async function stallUntilFull(): Promise<{ stalled: StalledReader[]; refused: StalledReader }> {
    const stalled: StalledReader[] = [];
    for (;;) {
      const before = await buffered();
      const reader = await stallAt(http, "/flood");
      if (reader.status !== 101) return { stalled, refused: reader };
      stalled.push(reader);
      expect(stalled.length).toBeLessThan(200);
      await expect.poll(buffered, { timeout: 20_000 }).toBeGreaterThan(before);
    }
  }

  test("handshakes get 503 until the readers read or go, and everybody else goes on meanwhile", async () => {
    const witness = await attempt(http);
    expect(await echo(witness, "before")).toBe("before");
    const residentBefore = residentBytes(holdfast.process.pid);
    const { stalled, refused } = await stallUntilFull();

    expect(refused.status).toBe(503);
    expect(refused.head).toMatch(/\r\nholdfast-error: HF_BUFFERS_FULL\r\n/);
    expect(refused.head).toMatch(/\r\nretry-after: [1-9]\d?\r\n/);
    expect(await attempt(http)).toMatchObject({ status: 503, code: "HF_BUFFERS_FULL" });
    expect(await gauge(admin, "holdfast_buffer_budget_bytes")).toBe(2 * MIB);
    expect(await buffered()).toBeGreaterThan(2 * MIB);
    expect(await gauge(admin, "holdfast_readers_held")).toBeGreaterThan(0);

    for (let round = 0; round < 200; round += 1) expect(await echo(witness, `round ${round}`)).toBe(`round ${round}`);
    expect(await exchange(http, PLAIN)).toContain("plain\n");
    expect(await buffered()).toBeLessThan(3 * MIB);
    expect(residentBytes(holdfast.process.pid) - residentBefore).toBeLessThan(64 * MIB);

    const goers = stalled.splice(0, stalled.length / 2);
    const readers = stalled;
    for (const { socket } of goers) socket.destroy();
    await expect.poll(async () => (await attempt(http)).status).toBe(101);
    // Whoever was held gets all the same every byte of the flood, headers of frames and Close besides.
    await Promise.all(readers.map((reader) => reader.readOn(FLOOD_BYTES)));
    await expect.poll(buffered).toBe(0);
    expect(await gauge(admin, "holdfast_readers_held")).toBe(0);
    expect(await echo(witness, "after")).toBe("after");
    witness.socket.terminate();
  });

  test("with far too much at once the fattest are closed, and the rest goes on", async () => {
    const witness = await attempt(http);
    const residentBefore = residentBytes(holdfast.process.pid);
    const ended = 'holdfast_tunnels_ended_total{route="default/proxy",rule="all",cause="buffers_full"}';
    const readers = await Promise.all(Array.from({ length: 60 }, () => stallAt(http, "/flood")));
    await expect.poll(async () => (await gauge(admin, ended)) ?? 0, { timeout: 60_000 }).toBeGreaterThan(0);
    expect(await echo(witness, "meanwhile")).toBe("meanwhile");
    expect(residentBytes(holdfast.process.pid) - residentBefore).toBeLessThan(96 * MIB);
    for (const { socket } of readers) socket.destroy();
    await expect.poll(async () => (await attempt(http)).status).toBe(101);
    expect(await echo(witness, "after")).toBe("after");
    witness.socket.terminate();
  });
});

describe("as many tunnels as there may be", () => {
  let backend: ArticleBackend;
  beforeAll(async () => {
    backend = await ArticleBackend.start(0);
  });
  afterAll(() => backend[Symbol.asyncDispose]());

  test("above --max-tunnels handshakes get 503; when one has ended the next is let in", async () => {
    const { holdfast, http, admin } = await proxyTo([`127.0.0.1:${backend.port}`], ["--max-tunnels", "2"]);
    await using _ = holdfast;
    const first = await attempt(http);
    const second = await attempt(http);
    expect([first.status, second.status]).toEqual([101, 101]);
    const third = await attempt(http);
    expect(third).toMatchObject({ status: 503, code: "HF_TOO_MANY_TUNNELS" });
    expect(Number(third.retryAfter)).toBeGreaterThan(0);
    expect(await gauge(admin, "holdfast_max_tunnels")).toBe(2);
    expect(await exchange(http, PLAIN)).toContain("plain GET");
    expect(await echo(second, "still here")).toContain("still here");
    first.socket.close(1000);
    await expect.poll(async () => (await attempt(http)).status).toBe(101);
    expect(await attempt(http)).toMatchObject({ status: 503, code: "HF_TOO_MANY_TUNNELS" });
  });

  test("few descriptors bound tunnels and connections, so that none is missing for what must go on", async () => {
    const openFiles = 256;
    const args = ["proxy", "--to", `127.0.0.1:${backend.port}`, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    const { holdfast, http, admin } = await started(new HoldfastProcess(args, {}, openFiles));
    await using _ = holdfast;
    const { pid } = holdfast.process;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, descriptors(pid))), 5);
    using _watch = { [Symbol.dispose]: () => clearInterval(watch) };
    const bounds = await holdfast.line(({ msg }) => msg === "process bounds");
    expect(bounds).toMatchObject({ descriptorLimit: openFiles, maxTunnels: 72, maxConnections: 88 });

    const attempts = await Promise.all(Array.from({ length: 300 }, () => attempt(http)));
    const opened = attempts.filter(({ status }) => status === 101);
    expect(opened.length).toBeGreaterThan(0);
    const codes = new Set(attempts.map(({ code }) => code));
    expect([...codes].every((code) => code === undefined || code.startsWith("HF_TOO_MANY_"))).toBe(true);
    while (opened.length < 72) opened.push(await attempt(http));
    expect(opened.every(({ status }) => status === 101)).toBe(true);
    await expect
      .poll(async () => await attempt(http))
      .toMatchObject({ status: 503, code: "HF_TOO_MANY_TUNNELS", retryAfter: "10" });

    const silent: Socket[] = await Promise.all(Array.from({ length: 300 }, () => dialRaw(http)));
    for (const socket of silent) socket.on("error", () => {}).resume();
    expect(await gauge(admin, "holdfast_max_tunnels")).toBe(72);
    for (const tunnel of opened) expect(await echo(tunnel, "still here")).toContain("still here");
    for (let round = 0; round < 20; round += 1) expect(await gauge(admin, "process_open_fds")).toBeLessThan(openFiles);
    expect(holdfast.text()).not.toContain("EMFILE");
    const refusals = 'holdfast_refusals_total{code="HF_TOO_MANY_CONNECTIONS"}';
    expect(await gauge(admin, refusals)).toBeGreaterThanOrEqual(200);

    for (const socket of silent) socket.destroy();
    opened[0]?.socket.close(1000);
    await expect.poll(async () => (await attempt(http)).status, { timeout: 20_000 }).toBe(101);
    expect(most).toBeLessThan(openFiles);
    for (const { socket } of attempts) socket.terminate();
  });
});
