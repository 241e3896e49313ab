import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { closeOf, joinWebSockets } from "./relay-joiner.contract.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { BINARY, CONTINUATION, PING, PONG, Stage, TEXT, fragment, frame, frameHead, framesIn, until } = stageKit;

const MEBIBYTE = 2 ** 20;
const SIZES = [0, 1, 125, 126, 65_535, 65_536, MEBIBYTE, 16 * MEBIBYTE];

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function hashesOf(socket: WebSocket): string[] {
  const hashes: string[] = [];
  socket.on("message", (bytes: Buffer) => hashes.push(hash(bytes)));
  return hashes;
}

/** Bytes go through whole, in order, counted, and no faster than they are taken. */
export function bytesContract(factory: stageKit.RelayFactory): void {
  describe("messages", () => {
    test.for([
      { name: "plain", deflate: false },
      { name: "with permessage-deflate", deflate: true },
    ])("of 0 B to 16 MiB go both ways byte for byte, $name", async ({ deflate }) => {
      const stage = new Stage(factory);
      const { client, server, tunnel } = await joinWebSockets(stage, { deflate });
      const atServer = hashesOf(server);
      const atClient = hashesOf(client);
      const up = SIZES.map((size) => randomBytes(size));
      const down = SIZES.map((size) => randomBytes(size));
      for (const [index] of SIZES.entries()) {
        client.send(up[index] ?? "");
        server.send(down[index] ?? "");
      }
      await until(() => expect([atServer.length, atClient.length]).toEqual([SIZES.length, SIZES.length]), 15_000);
      expect(atServer).toEqual(up.map(hash));
      expect(atClient).toEqual(down.map(hash));
      expect(tunnel.stats).toMatchObject({ messagesUp: SIZES.length, messagesDown: SIZES.length });
      const closed = Promise.all([closeOf(client), closeOf(server)]);
      client.close(4_000);
      expect(await closed).toEqual([4_000, 4_000]);
      const end = await stage.end();
      expect(end).toMatchObject({ by: "client", cause: "client_close", codeToClient: 4_000, codeToBackend: 4_000 });
      expect(end.stats.messagesUp).toBe(SIZES.length);
    });

    test("in fragments with control frames between arrive byte for byte under any chunking, and count as one", async () => {
      const chunkSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3_000 })), {
        minLength: 1,
        maxLength: 12,
      });
      const stage = new Stage(factory);
      await fc.assert(
        fc.asyncProperty(chunkSizes, async (sizes) => {
          const { client, backend, tunnel } = await stage.join();
          const bytes = Buffer.concat([
            fragment("client", TEXT, Buffer.alloc(300, "a")),
            frame("client", PING, Buffer.from("are you there")),
            fragment("client", CONTINUATION, Buffer.alloc(0)),
            frame("client", PONG, Buffer.alloc(0)),
            frame("client", CONTINUATION, Buffer.alloc(70_000, "b")),
            frame("client", BINARY, Buffer.alloc(5)),
          ]);
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            client.socket.write(bytes.subarray(at, at + size));
            at += size;
            // A turn of the event loop now and then, so that the kernel keeps some of the seams.
            if (turn < 60) await new Promise(setImmediate);
          }
          await until(() => expect(backend.bytesReceived).toBe(bytes.length));
          expect(backend.received.equals(bytes)).toBe(true);
          expect(tunnel.stats).toEqual({ bytesUp: bytes.length, bytesDown: 0, messagesUp: 2, messagesDown: 0 });
          tunnel.cut();
        }),
        { numRuns: 25 },
      );
    });

    test("that came early on both sides come first, in order, and are counted", async () => {
      const stage = new Stage(factory);
      const clientEarly = frame("client", TEXT, Buffer.from("first")).subarray(0, 8);
      const backendEarly = Buffer.concat([frame("backend", TEXT, Buffer.from("hello")), Buffer.of(0x81)]);
      const { client, backend, tunnel } = await stage.join({ clientEarly, backendEarly });
      client.say(frame("client", TEXT, Buffer.from("first")).subarray(8), frame("client", TEXT, Buffer.from("second")));
      backend.say(Buffer.of(5), Buffer.from("again"));
      await until(() => expect(tunnel.stats).toMatchObject({ messagesUp: 2, messagesDown: 2 }));
      await until(() => expect([backend.bytesReceived, client.bytesReceived]).toEqual([11 + 12, 7 + 7]));
      const texts = (bytes: Buffer) => framesIn(bytes).map((one) => one.payload.toString());
      expect(texts(backend.received)).toEqual(["first", "second"]);
      expect(texts(client.received)).toEqual(["hello", "again"]);
    });

    test("more early bytes than a sink takes at once are not lost", async () => {
      const stage = new Stage(factory);
      const early = frame("backend", BINARY, randomBytes(4 * MEBIBYTE));
      const { client, backend } = await stage.join({ backendEarly: early });
      const later = frame("backend", TEXT, Buffer.from("later"));
      backend.say(later);
      await until(() => expect(client.bytesReceived).toBe(early.length + later.length));
      expect(client.received.equals(Buffer.concat([early, later]))).toBe(true);
    });

    test("flow on in a tunnel that has lost its framing", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const garbage = Buffer.from("this is no frame at all");
      client.say(garbage);
      backend.say(garbage);
      await until(() =>
        expect([backend.bytesReceived, client.bytesReceived]).toEqual([garbage.length, garbage.length]),
      );
      expect(tunnel.stats).toMatchObject({ messagesUp: 0, messagesDown: 0 });
    });
  });

  describe("a reader that stops", () => {
    test.for([
      { name: "a backend", reader: "backend", writer: "client", count: "bytesUp" },
      { name: "a client", reader: "client", writer: "backend", count: "bytesDown" },
    ] as const)("$name: bounds what is taken from the other, and gets all of it once it reads", async (sides) => {
      const stage = new Stage(factory);
      const joined = await stage.join();
      const reader = joined[sides.reader];
      const writer = joined[sides.writer];
      const taken = () => joined.tunnel.stats[sides.count];
      reader.socket.pause();
      const payload = randomBytes(MEBIBYTE);
      const head = frameHead(sides.writer, BINARY, MEBIBYTE);
      const before = process.memoryUsage().arrayBuffers;
      const total = 64;
      for (let index = 0; index < total; index += 1) {
        writer.socket.write(head);
        writer.socket.write(payload);
      }
      // Taken until every buffer of the kernel on the way is full, and then no more.
      let last = -1;
      let calm = 0;
      await until(() => {
        calm = taken() === last ? calm + 1 : 0;
        last = taken();
        expect(calm).toBeGreaterThan(60);
      }, 15_000);
      expect(taken()).toBeGreaterThan(0);
      expect(taken()).toBeLessThan(24 * MEBIBYTE);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MEBIBYTE);
      for (const near of joined.near) expect(near.writableLength + near.readableLength).toBeLessThan(MEBIBYTE);
      expect(writer.socket.writableLength).toBeGreaterThan(30 * MEBIBYTE);

      reader.socket.resume();
      const whole = total * (head.length + MEBIBYTE);
      await until(() => expect(reader.bytesReceived).toBe(whole), 15_000);
      const wanted = createHash("sha256");
      for (let index = 0; index < total; index += 1) wanted.update(head).update(payload);
      expect(hash(reader.received)).toBe(wanted.digest("hex"));
    });

    test("does not stop the other direction", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.socket.pause();
      const payload = Buffer.alloc(MEBIBYTE);
      for (let index = 0; index < 32; index += 1) client.say(frameHead("client", BINARY, payload.length), payload);
      backend.say(frame("backend", TEXT, Buffer.from("still here")));
      if (client.bytesReceived === 0) await once(client.socket, "data");
      expect(framesIn(client.received).map((one) => one.payload.toString())).toEqual(["still here"]);
    });
  });
}
