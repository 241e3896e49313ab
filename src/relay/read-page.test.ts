import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ReadPage } from "./read-page.ts";
import { Peer, socketPair, until } from "./relay-stage.contract.ts";

const PAGE_BYTES = 128 * 1024;
/** Around both pages' sizes. */
const SIZES = [1, 2, 4_095, 4_096, 4_097, 30_000, PAGE_BYTES - 1, PAGE_BYTES];

/** As a read of these bytes: into the page, then taken. */
function readInto(page: ReadPage, bytes: Uint8Array): Uint8Array {
  page.buffer.set(bytes);
  return page.take(bytes.length);
}

/** What the reads of all other sockets of a relay do to the page. */
function readOthers(page: ReadPage): void {
  page.buffer.fill("!");
  for (const size of SIZES) page.take(size);
}

/** The memory that reads of both kinds are taken into at the moment. */
function pagesOf(page: ReadPage): unknown[] {
  return [page.take(1).buffer, page.take(PAGE_BYTES).buffer];
}

/** A sink that gets rid of nothing until it is told to. */
class Stalled extends Socket {
  readonly held: Uint8Array[] = [];
  #written: () => void = () => {};

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, written: () => void): void {
    this.held.push(chunk);
    this.#written = written;
  }

  release(): void {
    this.#written();
  }
}

/** A sink whose peer reads nothing: some of what was last written still waits. */
async function stalledSink(): Promise<{ sink: Socket; peer: Peer; sent: Buffer[] }> {
  const [far, sink] = await socketPair();
  const peer = new Peer(far);
  far.pause();
  const sent: Buffer[] = [];
  while (sink.writableLength === 0) {
    const bytes = randomBytes(PAGE_BYTES);
    sent.push(bytes);
    sink.write(bytes);
  }
  return { sink, peer, sent };
}

async function expectAll(peer: Peer, sent: readonly Buffer[]): Promise<void> {
  const wanted = Buffer.concat(sent);
  peer.socket.resume();
  await until(() => expect(peer.bytesReceived).toBe(wanted.length));
  expect(peer.received.equals(wanted)).toBe(true);
}

describe("a sink that takes everything at once", () => {
  test("gets every byte, and both pages serve again", async () => {
    const [far, sink] = await socketPair();
    const peer = new Peer(far);
    const page = new ReadPage();
    const before = pagesOf(page);
    const sent: Buffer[] = [];
    for (const size of [...SIZES, ...SIZES]) {
      const bytes = randomBytes(size);
      sent.push(bytes);
      const keptBytes = page.writeTo(sink, readInto(page, bytes));
      expect([keptBytes, sink.writableLength]).toEqual([0, 0]);
      readOthers(page);
      await until(() => expect(peer.bytesReceived).toBe(Buffer.concat(sent).length));
    }
    expect(pagesOf(page).map((memory, index) => memory === before[index])).toEqual([true, true]);
    await expectAll(peer, sent);
  });
});

describe("a sink that does not drain", () => {
  test.for(SIZES)("holds %i bytes of which nothing has gone as they were", (size) => {
    const page = new ReadPage();
    const sink = new Stalled();
    const bytes = randomBytes(size);
    // What it keeps is the whole page.
    expect(page.writeTo(sink, readInto(page, bytes))).toBeGreaterThan(size <= 4_096 ? 4_096 : PAGE_BYTES);
    readOthers(page);
    expect(bytes.equals(sink.held[0]!)).toBe(true);
    sink.destroy();
  });

  test.for([4_096, 4_097, PAGE_BYTES])("holds the rest of %i bytes that went in part as it was", async (size) => {
    const [far, sink] = await socketPair();
    const peer = new Peer(far);
    far.pause();
    const page = new ReadPage();
    const sent: Buffer[] = [];
    while (sink.writableLength === 0) {
      const bytes = randomBytes(size);
      sent.push(bytes);
      page.writeTo(sink, readInto(page, bytes));
      readOthers(page);
    }
    await expectAll(peer, sent);
  });

  test.for(SIZES)("holds %i bytes behind bytes that wait as they were, in a copy of their own size", async (size) => {
    const { sink, peer, sent } = await stalledSink();
    const page = new ReadPage();
    const before = pagesOf(page);
    for (let index = 0; index < 3; index += 1) {
      const bytes = randomBytes(size);
      sent.push(bytes);
      const keptBytes = page.writeTo(sink, readInto(page, bytes));
      expect(keptBytes).toBeGreaterThan(size);
      expect(keptBytes).toBeLessThan(size + 1_024);
      readOthers(page);
    }
    expect(pagesOf(page).map((memory, index) => memory === before[index])).toEqual([true, true]);
    await expectAll(peer, sent);
  });

  test("costs the page that it holds and no other: a small one for a small chunk", async () => {
    const page = new ReadPage();
    for (const [index, size] of [4_096, 4_097].entries()) {
      const connecting = new Stalled();
      const before = pagesOf(page);
      page.writeTo(connecting, readInto(page, randomBytes(size)));
      expect(connecting.writableLength).toBe(size);
      const isKept = pagesOf(page).map((memory, at) => memory === before[at]);
      expect(isKept).toEqual(index === 0 ? [false, true] : [true, false]);
      expect(connecting.held[0]?.buffer).toBe(before[index]);
      connecting.destroy();
    }
    expect(page.take(1).buffer.byteLength).toBe(4_096);
    expect(page.take(4_096).buffer.byteLength).toBe(4_096);
    expect(page.take(4_097).buffer.byteLength).toBe(PAGE_BYTES);
  });

  test("gets a part of what was taken, and the rest of it later, as they were", async () => {
    const { sink, peer, sent } = await stalledSink();
    const page = new ReadPage();
    const bytes = randomBytes(50_000);
    const taken = readInto(page, bytes);
    page.writeTo(sink, taken.subarray(0, 20_000));
    page.writeTo(sink, taken.subarray(20_000));
    readOthers(page);
    await expectAll(peer, [...sent, bytes]);
  });

  test("is given bytes from elsewhere as they are, without a copy", () => {
    const page = new ReadPage();
    const sink = new Stalled();
    const before = pagesOf(page);
    for (const bytes of [randomBytes(10), randomBytes(PAGE_BYTES)]) {
      page.writeTo(sink, bytes);
      expect(sink.held.at(-1)?.buffer).toBe(bytes.buffer);
      sink.release();
    }
    expect(pagesOf(page).map((memory, index) => memory === before[index])).toEqual([true, true]);
    sink.destroy();
  });
});

/** Pairs whose kernel buffers are small and do not grow, so that many of them fit into any machine. */
async function localPairs(count: number): Promise<{ peers: Peer[]; sinks: Socket[] }> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
  const sinks: Socket[] = [];
  const server = createServer((socket) => void sinks.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  const peers = Array.from({ length: count }, () => new Peer(connect(join(folder, "socket")).pause()));
  onTestFinished(() => {
    for (const socket of [...sinks, ...peers.map((peer) => peer.socket)]) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await until(() => expect(sinks).toHaveLength(count));
  return { peers, sinks };
}

test("200 sinks that stall at once hold a page each at most, and what their marks allow", async () => {
  const { peers, sinks } = await localPairs(200);
  const page = new ReadPage();
  const memories = new Set<unknown>(pagesOf(page));
  const before = process.memoryUsage().arrayBuffers;
  const chunk = randomBytes(PAGE_BYTES);
  let sent = 0;
  // As a flow does: no more once the sink has said that it is full; all sinks in turn, in chunks of all sizes.
  const open = new Set(sinks);
  while (open.size > 0) {
    for (const sink of open) {
      const size = (sent += 1) % 7 === 0 ? 1 + ((sent * 31) % 4_096) : 1 + ((sent * 8_191) % PAGE_BYTES);
      page.writeTo(sink, readInto(page, chunk.subarray(0, size)));
      if (sink.writableNeedDrain) open.delete(sink);
      for (const memory of pagesOf(page)) memories.add(memory);
    }
  }
  // Given away: one by each sink at most. Each holds the rest of a page, and copies up to its mark and a chunk more.
  expect(memories.size - 2).toBeGreaterThan(100);
  expect(memories.size - 2).toBeLessThanOrEqual(sinks.length);
  for (const sink of sinks) expect(sink.writableLength).toBeLessThan(2 * PAGE_BYTES);
  const grown = process.memoryUsage().arrayBuffers - before;
  expect(grown).toBeLessThan(sinks.length * 3 * PAGE_BYTES);
  const waiting = sinks.reduce((sum, sink) => sum + sink.writableLength, 0);
  for (const peer of peers) peer.socket.resume();
  await until(() => expect(sinks.every((sink) => sink.writableLength === 0)).toBe(true));
  expect(waiting).toBeGreaterThan(0);
});
