import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { readInto } from "./read-into.ts";
import { socketPair, until } from "./relay-stage.contract.ts";

/** What a socket gives, by either road, in the order of its coming. */
class Collector {
  readonly socket: Socket;
  readonly buffer = Buffer.alloc(16 * 1024);
  readonly isInto: boolean;
  bytes = 0;
  /** Bytes that came as 'data'. */
  streamed = 0;
  readonly events: string[] = [];
  goesOn = true;
  /** Called for each chunk. */
  onChunk: () => void = () => {};
  readonly #chunks: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.streamed += chunk.length;
      this.#take(chunk);
    });
    for (const event of ["end", "error", "close"]) socket.on(event, () => void this.events.push(event));
    this.isInto = readInto(socket, this.buffer, (size) => {
      this.#take(Buffer.from(this.buffer.subarray(0, size)));
      // Nobody may count on what lies there after the call.
      this.buffer.fill(0);
      return this.goesOn;
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#chunks.push(chunk);
    this.onChunk();
  }
}

/** Bytes that lie in the stream's own buffer, read before anybody listened. */
async function withLeftovers(size: number): Promise<{ far: Socket; near: Socket; first: Buffer }> {
  const [far, near] = await socketPair();
  const first = randomBytes(size);
  near.pause();
  // Starts reading, as a socket does that has been listened to before.
  near.read(0);
  far.write(first);
  while (near.readableLength < Math.min(size, 30_000)) await turn();
  return { far, near, first };
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}

describe("a socket that reads into a buffer", () => {
  test("gives all bytes in order, none of them as 'data', and then its end and its close", async () => {
    const [far, near] = await socketPair();
    const collector = new Collector(near);
    expect(collector.isInto).toBe(true);
    const sent = randomBytes(700_000);
    near.resume();
    far.end(sent);
    await until(() => expect(collector.events).toEqual(["end"]));
    expect(collector.received.equals(sent)).toBe(true);
    expect([collector.streamed, near.bytesRead]).toEqual([0, sent.length]);
    near.end();
    await until(() => expect(collector.events).toEqual(["end", "close"]));
    expect(near.readableEnded).toBe(true);
  });

  test("can be one that a server has accepted or one that was connected", async () => {
    const [far, near] = await socketPair();
    for (const [reader, writer] of [
      [far, near],
      [near, far],
    ] as const) {
      const collector = new Collector(reader);
      reader.resume();
      writer.write("hello");
      await until(() => expect(collector.received.toString()).toBe("hello"));
      expect([collector.isInto, collector.streamed]).toEqual([true, 0]);
    }
  });

  test("takes nothing while it is paused, not even its end, and all of it after", async () => {
    const [far, near] = await socketPair();
    const collector = new Collector(near);
    near.resume();
    far.write("a");
    await until(() => expect(collector.bytes).toBe(1));
    near.pause();
    const more = randomBytes(500_000);
    far.end(more);
    // The far side has been rid of all that the kernels take; the near one has looked many times.
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect([collector.bytes, collector.events]).toEqual([1, []]);
    near.resume();
    await until(() => expect(collector.events).toEqual(["end"]));
    expect(collector.received.subarray(1).equals(more)).toBe(true);
  });

  test("paused by its own reader it stops behind that very chunk", async () => {
    const [far, near] = await socketPair();
    const collector = new Collector(near);
    collector.onChunk = () => near.pause();
    const sent = randomBytes(300_000);
    far.write(sent);
    let chunks = 0;
    near.resume();
    while (collector.bytes < sent.length) {
      const before = collector.bytes;
      await until(() => expect(collector.bytes).toBeGreaterThan(before));
      for (let turns = 0; turns < 3; turns += 1) await turn();
      expect(collector.bytes - before).toBeLessThanOrEqual(collector.buffer.length);
      chunks += 1;
      near.resume();
    }
    expect(chunks).toBeGreaterThanOrEqual(sent.length / collector.buffer.length);
    expect(collector.received.equals(sent)).toBe(true);
  });

  test("stops when its reader says so, and goes on when it is resumed", async () => {
    const [far, near] = await socketPair();
    const collector = new Collector(near);
    collector.goesOn = false;
    const sent = randomBytes(3 * collector.buffer.length);
    far.write(sent);
    near.resume();
    await until(() => expect(collector.bytes).toBeGreaterThan(0));
    for (let turns = 0; turns < 10; turns += 1) await turn();
    expect(collector.bytes).toBeLessThanOrEqual(collector.buffer.length);
    collector.goesOn = true;
    near.resume();
    await until(() => expect(collector.received.equals(sent)).toBe(true));
  });

  test("says that it was reset", async () => {
    const [far, near] = await socketPair();
    const collector = new Collector(near);
    near.resume();
    far.write("a");
    await until(() => expect(collector.bytes).toBe(1));
    far.resetAndDestroy();
    await until(() => expect(collector.events).toEqual(["error", "close"]));
  });

  test("keeps its order under any pauses, whatever was read before and whatever its reader does", async () => {
    const steps = fc.array(fc.constantFrom("write", "pause", "resume", "resume, pause", "pause, resume", "turn"), {
      minLength: 5,
      maxLength: 60,
    });
    const leftovers = fc.constantFrom(0, 0, 0, 1, 30_000, 65_535, 65_536, 65_537, 150_000);
    await fc.assert(
      fc.asyncProperty(steps, leftovers, fc.integer({ min: 1, max: 7 }), async (script, size, every) => {
        const { far, near, first } = await withLeftovers(size);
        const sent = [first];
        const collector = new Collector(near);
        let chunks = 0;
        collector.onChunk = () => {
          if ((chunks += 1) % every === 0) near.pause();
        };
        for (const step of script) {
          if (step === "write") {
            const bytes = randomBytes(1 + ((sent.length * 7_919) % 40_000));
            sent.push(bytes);
            far.write(bytes);
          } else if (step === "turn") await turn();
          else for (const verb of step.split(", ")) near[verb === "pause" ? "pause" : "resume"]();
        }
        far.end();
        while (!collector.events.includes("end")) {
          near.resume();
          await turn();
        }
        expect(collector.received.equals(Buffer.concat(sent))).toBe(true);
        near.destroy();
        far.destroy();
      }),
      { numRuns: 150 },
    );
  });
});

describe("a socket that cannot read into a buffer is left as it is:", () => {
  test.for([1, 1_000, 60_000, 200_000])("one that holds bytes already, here %i, gives them first", async (size) => {
    const { far, near, first } = await withLeftovers(size);
    const collector = new Collector(near);
    expect(collector.isInto).toBe(false);
    const then = randomBytes(300_000);
    far.write(then);
    for (let turns = 0; turns < 5; turns += 1) await turn();
    near.resume();
    await until(() => expect(collector.bytes).toBe(size + then.length));
    expect(collector.received.equals(Buffer.concat([first, then]))).toBe(true);
    expect(collector.streamed).toBe(size + then.length);
  });

  test("one that bytes were put back to gives them first", async () => {
    const [far, near] = await socketPair();
    near.pause();
    near.unshift(Buffer.from("put back"));
    const collector = new Collector(near);
    expect(collector.isInto).toBe(false);
    far.write(", read");
    near.resume();
    await until(() => expect(collector.received.toString()).toBe("put back, read"));
  });

  test("one whose connection is closed", async () => {
    const [, near] = await socketPair();
    near.destroy();
    expect(readInto(near, Buffer.alloc(10), () => true)).toBe(false);
    expect(readInto(new Socket(), Buffer.alloc(10), () => true)).toBe(false);
  });

  test("one of TLS gives everything as 'data'", async () => {
    // Without a certificate: nothing here is secret.
    const ciphers = "aNULL:@SECLEVEL=0";
    const server = createTlsServer({ ciphers, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
    const accepted = new Promise<Socket>((resolve) => server.once("secureConnection", resolve));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, "127.0.0.1");
    const far = connectTls({
      socket,
      ciphers,
      maxVersion: "TLSv1.2",
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    onTestFinished(() => {
      far.destroy();
      server.close();
    });
    const near = await accepted;
    onTestFinished(() => void near.destroy());
    const symbols = Object.getOwnPropertySymbols(near).map((key) => Reflect.get(near, key) as unknown);
    const collector = new Collector(near);
    expect(collector.isInto).toBe(false);
    expect(Object.getOwnPropertySymbols(near).map((key) => Reflect.get(near, key) as unknown)).not.toContain(
      collector.buffer,
    );
    expect(symbols).not.toContain(collector.buffer);
    const sent = randomBytes(100_000);
    far.end(sent);
    await until(() => expect(collector.events).toContain("end"));
    expect(collector.received.equals(sent)).toBe(true);
    expect(collector.streamed).toBe(sent.length);
  });

  test("any, in a Node that keeps `onread` elsewhere", async () => {
    class OtherSocket {
      destroy(): void {}
    }
    vi.doMock("node:net", () => ({ Socket: OtherSocket }));
    vi.resetModules();
    onTestFinished(() => {
      vi.doUnmock("node:net");
      vi.resetModules();
    });
    const elsewhere = await import("./read-into.ts");
    const [far, near] = await socketPair();
    expect(elsewhere.readInto(near, Buffer.alloc(10), () => expect.unreachable())).toBe(false);
    let text = "";
    near.on("data", (chunk: Buffer) => (text += chunk.toString()));
    far.write("as ever");
    await until(() => expect(text).toBe("as ever"));
  });
});
