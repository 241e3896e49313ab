import { createHash } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildLoadGenerator } from "../../bench/compare/load-generator.ts";
import { findProgram } from "../../bench/peers/programs.ts";
import { LoadProcess, startBackend } from "../../bench/storm/load-process.ts";
import type { SteadyRecord, StormRecord } from "../../bench/storm/records.ts";

const TIMEOUT_MS = 20_000;
const MEANS = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

/** What to do with the n-th handshake of all (from 0). */
type Turn = (socket: Socket, accept: () => void) => void;

/** A server that answers each handshake as it is told, and echoes what comes over tunnels, unmasked. */
class Door implements AsyncDisposable {
  readonly sockets: Socket[] = [];
  /** When each handshake came. */
  readonly times: number[] = [];
  readonly #server: Server;

  constructor(turn: (number: number) => Turn) {
    this.#server = createServer((socket) => {
      socket
        .on("error", () => undefined)
        .once("data", (head) => {
          this.times.push(performance.now());
          const key = /^sec-websocket-key: (\S+)/im.exec(head.toString())?.[1] ?? "";
          const hash = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
          turn(this.times.length - 1)(socket, () => {
            this.sockets.push(socket);
            socket.write(`${MEANS}${hash}\r\n\r\n`);
            // The client masks with zeros: without the mask it is its own echo.
            socket.on("data", (frame) =>
              socket.write(Buffer.concat([frame.subarray(0, 1), Buffer.of(64), frame.subarray(6)])),
            );
          });
        });
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as { port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A way to a backend that can be led to another one, and stalled. */
class Way implements AsyncDisposable {
  target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((client) => {
      const backend = connect(this.target, "127.0.0.1");
      for (const [from, to] of [
        [client, backend],
        [backend, client],
      ] as const) {
        this.#sockets.add(from);
        from.on("error", () => to.destroy()).on("close", () => to.destroy());
        from.pipe(to);
      }
    });
  }

  static async to(target: number): Promise<Way> {
    const way = new Way(target);
    await new Promise<void>((resolve) => way.#server.listen(0, "127.0.0.1", resolve));
    return way;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  stall(): void {
    for (const socket of this.#sockets) socket.cork();
  }

  resume(): void {
    for (const socket of this.#sockets) socket.uncork();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const take: Turn = (_, accept) => accept();
const refuse =
  (headers: string): Turn =>
  (socket) =>
    void socket.end(`HTTP/1.1 503 Service Unavailable\r\n${headers}content-length: 2\r\n\r\nno`);

describe.skipIf(findProgram("go") === undefined)("the clients of a storm (needs go)", () => {
  const running: LoadProcess[] = [];
  const load = (...words: readonly (string | number)[]): LoadProcess => {
    const started = new LoadProcess(words.map(String), []);
    running.push(started);
    return started;
  };
  /** Clients that come back at once when they have lost their tunnel. */
  const clients = (count: number, port: number): LoadProcess =>
    load("storm", "--tunnels", count, "--first-within", 0, "--target", `127.0.0.1:${port}`);

  beforeAll(buildLoadGenerator, 120_000);
  afterEach(async () => {
    for (const each of running.splice(0)) await each[Symbol.asyncDispose]();
  });

  /** One client whose tunnel is lost after its first handshake; the later ones are answered by `turns`. */
  async function loseOne(
    ...turns: readonly Turn[]
  ): Promise<{ readonly record: StormRecord; readonly times: number[] }> {
    await using door = new Door((number) => (number === 0 ? take : (turns[number - 1] ?? take)));
    const storm = clients(1, await door.listen());
    await storm.line("open", TIMEOUT_MS);
    door.sockets[0]?.destroy();
    await storm.line("back", TIMEOUT_MS);
    return { record: await storm.result<StormRecord>(), times: [...door.times] };
  }

  test("all come back when their backend is killed and another is there, each proved by a message there and back", async () => {
    const [doomed, next] = [await startBackend([]), await startBackend([])];
    running.push(doomed.process, next.process);
    await using way = await Way.to(doomed.port);
    const storm = clients(200, way.port);
    await storm.line("open", TIMEOUT_MS);
    way.target = next.port;
    await doomed.process.kill();
    await storm.line("back", TIMEOUT_MS);
    const { clients: all, closes, lostAgain, refusals } = await storm.result<StormRecord>();
    expect(all.filter(({ isProved, backMs, lostMs }) => isProved && backMs! >= lostMs!)).toHaveLength(200);
    expect([closes, lostAgain, refusals]).toEqual([{ none: 200 }, 0, []]);
  });

  test("one that is refused comes back no sooner than Retry-After says", async () => {
    const { record, times } = await loseOne(refuse("Retry-After: 1\r\nHoldfast-Error: HF_X\r\n"));
    expect(record.refusals).toMatchObject([{ status: 503, code: "HF_X", retryAfter: 1 }]);
    expect(times[2]! - times[1]!).toBeGreaterThan(990);
    expect(record.clients).toMatchObject([{ tries: 2, isProved: true }]);
    expect(record.failures).toEqual([]);
  });

  test("one that is refused without advice, or not answered, backs off and comes back", async () => {
    const { record } = await loseOne(refuse(""), (socket) => void socket.destroy(), take);
    expect(record.refusals).toMatchObject([{ status: 503, code: "", retryAfter: null }]);
    expect(record.failures.map(({ words }) => words)).toHaveLength(1);
    expect(record.clients).toMatchObject([{ tries: 3, isProved: true }]);
  });

  test("the Close code of a lost tunnel is known, and answered", async () => {
    await using door = new Door(() => take);
    const storm = clients(1, await door.listen());
    await storm.line("open", TIMEOUT_MS);
    const [first] = door.sockets;
    const answered = new Promise<Buffer>((resolve) => first?.once("data", resolve));
    first?.write(Buffer.of(0x88, 2, 0x03, 0xf4));
    expect((await answered)[0]).toBe(0x88);
    first?.destroy();
    await storm.line("back", TIMEOUT_MS);
    expect((await storm.result<StormRecord>()).closes).toEqual({ 1012: 1 });
  });

  test("a tunnel that is lost after its client had come back is counted", async () => {
    await using door = new Door(() => take);
    const storm = clients(1, await door.listen());
    await storm.line("open", TIMEOUT_MS);
    door.sockets[0]?.destroy();
    await storm.line("back", TIMEOUT_MS);
    door.sockets[1]?.destroy();
    await expect.poll(() => door.sockets.length, { timeout: TIMEOUT_MS }).toBe(3);
    expect((await storm.result<StormRecord>()).lostAgain).toBe(1);
  });

  test("a refusal before all tunnels are open ends it, in words", async () => {
    await using door = new Door((number) => (number === 2 ? refuse("") : take));
    const storm = clients(5, await door.listen());
    await expect(storm.line("open", TIMEOUT_MS)).rejects.toThrow(/answered 503 +before all tunnels were open/);
  });

  test("established tunnels keep their schedule over a stall, and every message counts from when it was due", async () => {
    const { port, process: backend } = await startBackend([]);
    running.push(backend);
    await using way = await Way.to(port);
    const steady = load("steady", "--tunnels", 5, "--rate", 200, "--target", `127.0.0.1:${way.port}`);
    await steady.line("open", TIMEOUT_MS);
    way.stall();
    const began = Date.now();
    await expect.poll(() => Date.now() - began, { timeout: TIMEOUT_MS }).toBeGreaterThan(500);
    way.resume();
    const { latenciesUs, everyUs, ended, tunnels } = await steady.result<SteadyRecord>();
    expect([everyUs, ended, tunnels]).toEqual([5_000, 0, 5]);
    expect(latenciesUs.filter((took) => took < 0)).toEqual([]);
    // 100 were due meanwhile; of the last only a little of the stall was left.
    expect(latenciesUs.filter((took) => took > 100_000).length).toBeGreaterThan(60);
  });

  test("an established tunnel that ends is told, with its messages", async () => {
    const { port, process: backend } = await startBackend([]);
    running.push(backend);
    const steady = load("steady", "--tunnels", 3, "--rate", 100, "--target", `127.0.0.1:${port}`);
    await steady.line("open", TIMEOUT_MS);
    await backend.kill();
    const { ended, firstError } = await steady.result<SteadyRecord>();
    expect(ended).toBe(3);
    expect(firstError).toContain("a tunnel ended");
  });
});
