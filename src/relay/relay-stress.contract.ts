import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import * as stageKit from "./relay-stage.contract.ts";

const { BINARY, CLOSE, CONTINUATION, Stage, TEXT, closePayload, fragment, frame, framesIn, until } = stageKit;

const SEED = 20_260_521;
const LARGEST_BYTES = 300_000;

type Random = () => number;

/** Repeatable numbers from 0 to below 1 (mulberry32). */
function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 1 to the largest, small ones as often as large ones. */
function sizeFrom(random: Random): number {
  return Math.ceil(LARGEST_BYTES ** random());
}

/** No two places of it look alike. */
function payload(random: Random, size: number): Buffer {
  const words = Uint32Array.from({ length: Math.ceil(size / 4) }, () => random() * 2 ** 32);
  return Buffer.from(words.buffer, 0, size);
}

interface Messages {
  readonly bytes: Buffer;
  /** Where each of them ends. */
  readonly ends: ReadonlySet<number>;
}

function messages(from: "client" | "backend", random: Random, atLeast: number): Messages {
  const frames: Buffer[] = [];
  const ends = new Set<number>();
  for (let end = 0; end < atLeast; ) {
    const next = frame(from, BINARY, payload(random, sizeFrom(random)));
    frames.push(next);
    ends.add((end += next.length));
  }
  return { bytes: Buffer.concat(frames), ends };
}

/** The last bytes that a peer has received. */
class Last {
  #bytes = Buffer.alloc(8);

  constructor(socket: Socket) {
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(-8)]).subarray(-8);
    });
  }

  /** Of the Close without a reason that they are, if they are one. */
  get closeCode(): number | undefined {
    for (const at of [0, 4]) {
      if (this.#bytes.readUInt16BE(at) === (at === 0 ? 0x8882 : 0x8802)) {
        return framesIn(this.#bytes.subarray(at))[0]?.payload.readUInt16BE(0);
      }
    }
    return undefined;
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

/** In pieces of all sizes, without waiting for the reader; a rest now and then keeps some of the seams. */
async function pour(peer: stageKit.Peer, bytes: Buffer, random: Random): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const size = sizeFrom(random);
    peer.socket.write(bytes.subarray(at, at + size));
    at += size;
    if (random() < 0.5) await turns(Math.ceil(random() * 3));
  }
}

/** In pieces that are read one by one, each smaller than what a sink may hold; all the rest once nobody reads. */
async function trickle(peer: stageKit.Peer, bytes: Buffer, random: Random): Promise<void> {
  let at = 0;
  while (at < bytes.length && peer.socket.writableLength === 0) {
    const size = 1 + Math.floor(random() * 30_000);
    peer.socket.write(bytes.subarray(at, at + size));
    at += size;
    await turns(2);
  }
  peer.socket.write(bytes.subarray(at));
}

/** A reader that rests again and again, until it is told to stop resting. */
async function readSlowly(peer: stageKit.Peer, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    peer.socket.pause();
    await turns(Math.ceil(random() * 40));
    peer.socket.resume();
    await turns(Math.ceil(random() * 3));
  }
}

function firstDifference(got: Buffer, wanted: Buffer): number {
  if (got.equals(wanted)) return -1;
  const index = got.findIndex((byte, at) => byte !== wanted[at]);
  return index === -1 ? got.length : index;
}

/** What was sent arrives as it was sent, whatever all the other tunnels of the relay do meanwhile. */
export function stressContract(factory: stageKit.RelayFactory): void {
  describe("many tunnels at once", () => {
    test("carry each its own bytes in both directions, to slow readers and fast ones", async () => {
      const stage = new Stage(factory);
      const random = randomFrom(SEED);
      const works: Promise<void>[] = [];
      const checks: { peer: stageKit.Peer; wanted: Buffer }[] = [];
      let isOver = false;
      onTestFinished(() => void (isOver = true));
      for (let index = 0; index < 12; index += 1) {
        const { client, backend } = await stage.join();
        const up = messages("client", random, 1_000_000);
        const down = messages("backend", random, 1_000_000);
        checks.push({ peer: backend, wanted: up.bytes }, { peer: client, wanted: down.bytes });
        works.push(pour(client, up.bytes, randomFrom(index)), pour(backend, down.bytes, randomFrom(-index)));
        if (index % 2 === 0) void readSlowly(backend, randomFrom(index + 1_000), () => isOver);
        if (index % 3 === 0) void readSlowly(client, randomFrom(index + 2_000), () => isOver);
      }
      await Promise.all(works);
      const isDone = (): boolean => checks.every(({ peer, wanted }) => peer.bytesReceived >= wanted.length);
      await until(() => expect(isDone()).toBe(true), 15_000);
      for (const { peer, wanted } of checks) expect(firstDifference(peer.received, wanted)).toBe(-1);
    });

    test("keep as they were what they hold for readers that stall, read in small pieces", async () => {
      const stage = new Stage(factory);
      const random = randomFrom(SEED + 3);
      const works: Promise<void>[] = [];
      const checks: { client: stageKit.Peer; wanted: Buffer }[] = [];
      for (let index = 0; index < 4; index += 1) {
        const { client, backend } = await stage.join();
        client.socket.pause();
        const wanted = messages("backend", random, 12_000_000).bytes;
        checks.push({ client, wanted });
        works.push(trickle(backend, wanted, randomFrom(index)));
      }
      await Promise.all(works);
      for (const { client } of checks) client.socket.resume();
      const isDone = (): boolean => checks.every(({ client, wanted }) => client.bytesReceived >= wanted.length);
      await until(() => expect(isDone()).toBe(true), 15_000);
      for (const { client, wanted } of checks) expect(firstDifference(client.received, wanted)).toBe(-1);
    });

    test("that are closed under backpressure end whole: messages as they were sent, then our Close", async () => {
      const stage = new Stage(factory);
      const random = randomFrom(SEED + 1);
      const joins: { joined: stageKit.Joined; up: Messages; down: Messages; last: readonly Last[] }[] = [];
      const works: Promise<void>[] = [];
      for (let index = 0; index < 2; index += 1) {
        const joined = await stage.join();
        const { client, backend } = joined;
        const up = messages("client", random, 7_000_000);
        const down = messages("backend", random, 7_000_000);
        joins.push({ joined, up, down, last: [new Last(client.socket), new Last(backend.socket)] });
        client.socket.pause();
        if (index % 2 === 0) backend.socket.pause();
        works.push(pour(client, up.bytes, randomFrom(index)), pour(backend, down.bytes, randomFrom(-index)));
      }
      await Promise.all(works);
      for (const { joined } of joins) {
        await until(() => expect(joined.near.some((near) => near.writableLength > 0)).toBe(true));
        joined.tunnel.close("proxy_shutdown");
        joined.client.socket.resume();
        joined.backend.socket.resume();
      }
      for (const { joined, up, down, last } of joins) {
        await until(() => expect(last.map((one) => one.closeCode)).toEqual([1012, 1001]), 15_000);
        for (const [peer, sent, closeBytes] of [
          [joined.client, down, 4],
          [joined.backend, up, 8],
        ] as const) {
          const passed = peer.received.subarray(0, -closeBytes);
          expect(firstDifference(passed, sent.bytes.subarray(0, passed.length))).toBe(-1);
          expect(passed.length === 0 || sent.ends.has(passed.length)).toBe(true);
        }
        joined.tunnel.cut();
      }
    });

    test("leave a Close alone that comes in pieces while it is held back", async () => {
      const stage = new Stage(factory);
      const others = await stage.join();
      const disturb = async (): Promise<void> => {
        const wanted = [others.backend.bytesReceived + 106, others.client.bytesReceived + 5_004];
        others.client.say(frame("client", BINARY, Buffer.alloc(100, "!")));
        others.backend.say(frame("backend", BINARY, Buffer.alloc(5_000, "!")));
        await until(() => expect([others.backend.bytesReceived, others.client.bytesReceived]).toEqual(wanted));
      };
      for (const pieceBytes of [1, 5, 50]) {
        const { client, backend, tunnel } = await stage.join();
        const open = fragment("client", TEXT, Buffer.from("the first part"));
        client.say(open);
        await until(() => expect(backend.bytesReceived).toBe(open.length));
        // The client hears our Close at once; the backend has to wait for the end of the client's message.
        tunnel.close("proxy_shutdown");
        await until(() => expect(client.closeCodes).toEqual([1012]));
        const close = frame(
          "client",
          CLOSE,
          Buffer.concat([closePayload(4_321), Buffer.from("a reason of its own, "), Buffer.alloc(60, "r")]),
        );
        for (let at = 0; at < close.length; at += pieceBytes) {
          client.say(close.subarray(at, at + pieceBytes));
          await until(() => expect(tunnel.stats.bytesUp).toBe(open.length + Math.min(at + pieceBytes, close.length)));
          await disturb();
        }
        const wanted = Buffer.concat([open, close]);
        await until(() => expect(backend.bytesReceived).toBe(wanted.length));
        expect(firstDifference(backend.received, wanted)).toBe(-1);
        tunnel.cut();
      }
    });

    test("split a chunk at the boundary where our Close goes, and keep what waits for a slow reader", async () => {
      const stage = new Stage(factory);
      const others = await stage.join();
      const { client, backend, tunnel } = await stage.join();
      const end = new Last(client.socket);
      client.socket.pause();
      const random = randomFrom(SEED + 2);
      const before = messages("backend", random, 8_000_000).bytes;
      const part = fragment("backend", TEXT, payload(random, 1_000));
      backend.say(before, part);
      await until(() => expect(backend.socket.writableLength).toBeGreaterThan(0));
      tunnel.close("proxy_shutdown");
      const last = frame("backend", CONTINUATION, payload(random, 20_000));
      backend.say(last, messages("backend", random, 100_000).bytes);
      let isOver = false;
      onTestFinished(() => void (isOver = true));
      void readSlowly(client, random, () => isOver);
      const disturb = setInterval(() => others.client.say(frame("client", BINARY, Buffer.alloc(60_000, "!"))), 1);
      onTestFinished(() => clearInterval(disturb));
      await until(() => expect(end.closeCode).toBe(1012), 15_000);
      const passed = client.received.subarray(0, -4);
      const sent = Buffer.concat([before, part, last]);
      expect(firstDifference(passed, sent.subarray(0, passed.length))).toBe(-1);
      tunnel.cut();
    });
  });
}
