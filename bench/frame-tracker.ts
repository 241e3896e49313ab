// What following frames costs, apart from any socket. Run: node bench/frame-tracker.ts
import { FrameTracker } from "../src/relay/index.ts";

const CHUNK_BYTES = 64 * 1024;
const ROUNDS = 7;
const KEY = Buffer.from([0x5a, 0x13, 0xe0, 0x77]);

function frame(from: "client" | "backend", size: number): Buffer {
  const extension = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extension);
  head[0] = 0x82;
  head[1] = (from === "client" ? 0x80 : 0) | (extension === 0 ? size : extension === 2 ? 126 : 127);
  if (extension === 2) head.writeUInt16BE(size, 2);
  if (extension === 8) head.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat(from === "client" ? [head, KEY, Buffer.alloc(size)] : [head, Buffer.alloc(size)]);
}

/** The best of some rounds in nanoseconds per unit: the least disturbed one. */
function best(units: number, run: () => void): number {
  run();
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.hrtime.bigint();
    run();
    least = Math.min(least, Number(process.hrtime.bigint() - before) / units);
  }
  return least;
}

/** A stream of equal frames, cut into chunks of 64 KiB wherever that falls. */
function packed(from: "client" | "backend", size: number): { chunks: Buffer[]; frames: number } {
  const one = frame(from, size);
  const frames = 200_000;
  const stream = Buffer.alloc(one.length * frames, one);
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += CHUNK_BYTES) chunks.push(stream.subarray(at, at + CHUNK_BYTES));
  return { chunks, frames };
}

function report(name: string, unit: string, nanoseconds: number): void {
  console.log(`${name.padEnd(58)} ${nanoseconds.toFixed(1).padStart(8)} ns per ${unit}`);
}

for (const from of ["client", "backend"] as const) {
  const { chunks, frames } = packed(from, 64);
  const inChunks = best(frames, () => {
    const tracker = new FrameTracker(from);
    for (const chunk of chunks) tracker.track(chunk);
    if (tracker.messages !== frames) throw new Error(`counted ${tracker.messages}`);
  });
  report(`${from}: frames of 64 B in chunks of 64 KiB`, "frame", inChunks);

  for (const size of [64, 1_000]) {
    const one = frame(from, size);
    const alone = best(1_000_000, () => {
      const tracker = new FrameTracker(from);
      for (let index = 0; index < 1_000_000; index += 1) tracker.track(one);
      if (tracker.messages !== 1_000_000) throw new Error(`counted ${tracker.messages}`);
    });
    report(`${from}: one frame of ${size} B per chunk`, "frame", alone);
  }

  const head = frame(from, 2 ** 16).subarray(0, from === "client" ? 14 : 10);
  head.writeBigUInt64BE(2n ** 50n, 2);
  const payload = Buffer.alloc(CHUNK_BYTES);
  const inside = best(1_000_000, () => {
    const tracker = new FrameTracker(from);
    tracker.track(head);
    for (let index = 0; index < 1_000_000; index += 1) tracker.track(payload);
    if (tracker.isOpaque || tracker.isAtFrameBoundary) throw new Error("the payload ended");
  });
  report(`${from}: chunks of 64 KiB inside one payload`, "chunk", inside);

  const bytes = Buffer.concat(Array.from({ length: 1_000 }, () => frame(from, 64)));
  const pieces = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
  const byByte = best(pieces.length, () => {
    const tracker = new FrameTracker(from);
    for (const piece of pieces) tracker.track(piece);
    if (tracker.messages !== 1_000) throw new Error(`counted ${tracker.messages}`);
  });
  report(`${from}: every byte a chunk`, "byte", byByte);
}
