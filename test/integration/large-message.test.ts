import { createHash, type Hash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { MemoryWatch } from "../soak/leftovers.ts";
import { accept, dial } from "../soak/handshake.ts";
import { type HoldfastProcess, proxyTo } from "./fixtures/holdfast.ts";
import { residentBytes } from "./fixtures/process-facts.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const PIECES = 1_600;
const MESSAGE_BYTES = PIECE_BYTES * PIECES;
/** What lies in buffers on the way, and garbage, is 3 to 6 MiB; a message that is kept is 100. */
const GROWTH_AT_MOST = 16 * MIB;

const BINARY = 2;
const CONTINUATION = 0;
const FINAL = 0x80;

interface Way {
  readonly shape: "one frame" | "1,600 fragments";
  readonly from: "client" | "backend";
}

/** Of a frame; a client's is masked with a key of 0, so that its payload stands there as it is. */
function headOf({ from }: Way, opcode: number, size: number): Buffer {
  // 64 KiB are just above what a length of two bytes can say.
  const head = Buffer.alloc(from === "client" ? 14 : 10);
  head[0] = opcode;
  head[1] = (from === "client" ? 0x80 : 0) | 127;
  head.writeBigUInt64BE(BigInt(size), 2);
  return head;
}

/** A message of 100 MiB in one frame, or in a frame for each piece; made as it is sent. */
function* message(way: Way): Generator<Buffer> {
  if (way.shape === "one frame") yield headOf(way, FINAL | BINARY, MESSAGE_BYTES);
  const base = randomBytes(PIECE_BYTES);
  for (let index = 0; index < PIECES; index += 1) {
    const opcode = (index === 0 ? BINARY : CONTINUATION) | (index + 1 === PIECES ? FINAL : 0);
    if (way.shape !== "one frame") yield headOf(way, opcode, PIECE_BYTES);
    const piece = Buffer.from(base);
    piece.writeUInt32BE(index, 0);
    yield piece;
  }
}

/** Sends as fast as the other side takes it. */
async function send(
  socket: Socket,
  pieces: Iterable<Buffer>,
): Promise<{ readonly bytes: number; readonly hash: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const piece of pieces) {
    hash.update(piece);
    bytes += piece.length;
    if (!socket.write(piece)) await once(socket, "drain");
  }
  return { bytes, hash: hash.digest("hex") };
}

/** Takes all that comes and keeps none of it. */
class Sink {
  bytes = 0;
  readonly #hash: Hash = createHash("sha256");

  constructor(socket: Socket) {
    socket.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.#hash.update(chunk);
    });
  }

  get hash(): string {
    return this.#hash.copy().digest("hex");
  }
}

describe("a message of 100 MiB through a tunnel without limits", () => {
  let server: Server;
  let holdfast: HoldfastProcess;
  let http: string;

  beforeAll(async () => {
    server = createServer({ pauseOnConnect: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ({ holdfast, http } = await proxyTo([`127.0.0.1:${(server.address() as AddressInfo).port}`]));
    // What grows with the first bytes of a process is not the message's.
    await pass({ shape: "1,600 fragments", from: "client", isSlow: false });
    await pass({ shape: "1,600 fragments", from: "backend", isSlow: false });
  });
  afterAll(async () => {
    await holdfast[Symbol.asyncDispose]();
    server.close();
  });

  /** Opens a tunnel, sends the message through it, and tells what came and how far the process grew meanwhile. */
  async function pass(
    options: Way & { readonly isSlow: boolean },
  ): Promise<{ readonly sent: object; readonly received: object; readonly grownBytes: number }> {
    const arriving = once(server, "connection") as Promise<[Socket]>;
    const dialling = dial({
      http,
      path: "/",
      localAddress: "127.0.0.1",
      tunnel: 0,
      throughPort: undefined,
      abortAfterMs: undefined,
    });
    const [backend] = await arriving;
    (await accept(backend))!.answer(Buffer.alloc(0));
    const { socket: client } = await dialling;
    const [source, target] = options.from === "client" ? [client, backend] : [backend, client];
    const before = residentBytes(holdfast.process.pid);
    using memory = new MemoryWatch(holdfast.process.pid, 20);
    const sink = new Sink(target);
    if (!options.isSlow) target.resume();
    const sending = send(source, message(options));
    if (options.isSlow) await readInBursts(target, sink);
    const sent = await sending;
    await vi.waitUntil(() => sink.bytes >= sent.bytes, { timeout: 60_000 });
    client.destroy();
    backend.destroy();
    return { sent, received: { bytes: sink.bytes, hash: sink.hash }, grownBytes: Math.max(...memory.samples) - before };
  }

  for (const shape of ["one frame", "1,600 fragments"] as const) {
    for (const from of ["client", "backend"] as const) {
      for (const isSlow of [false, true]) {
        test(`from the ${from} in ${shape}, ${isSlow ? "to a slow reader" : "to a fast one"}: arrives as it was, and is nowhere kept`, async () => {
          const { sent, received, grownBytes } = await pass({ shape, from, isSlow });
          expect(received).toEqual(sent);
          expect(grownBytes).toBeLessThan(GROWTH_AT_MOST);
        });
      }
    }
  }
});

/** Rests, takes some MiB, rests again: for the first half of the message; the rest is taken as it comes. */
async function readInBursts(target: Socket, sink: Sink): Promise<void> {
  while (sink.bytes < MESSAGE_BYTES / 2) {
    target.pause();
    await sleep(250);
    target.resume();
    const enough = sink.bytes + 8 * MIB;
    while (sink.bytes < enough) await sleep(5);
  }
  target.resume();
}
