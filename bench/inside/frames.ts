import { FrameTracker } from "../../src/relay/index.ts";
import type { Scenario, Work } from "./scenario.ts";

type Sender = "client" | "backend";

export const CHUNK_BYTES = 64 * 1024;
const GOAL_NS = 500;
const FRAMES = 6_000;
const TIMES = 10;
const KEY = Buffer.from([0x5a, 0x13, 0xe0, 0x77]);

/** A final binary frame: client's masked, backend's not. */
export function frame(from: Sender, size: number): Buffer {
  const extension = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + extension);
  head[0] = 0x82;
  head[1] = (from === "client" ? 0x80 : 0) | (extension === 0 ? size : extension === 2 ? 126 : 127);
  if (extension === 2) head.writeUInt16BE(size, 2);
  if (extension === 8) head.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat(from === "client" ? [head, KEY, Buffer.alloc(size)] : [head, Buffer.alloc(size)]);
}

/** The first chunk, then the others; the last is what is left. */
export function cut(stream: Buffer, first: number, every: number): readonly Buffer[] {
  const chunks = [stream.subarray(0, first)];
  for (let at = first; at < stream.length; at += every) chunks.push(stream.subarray(at, at + every));
  return chunks;
}

/** Follows the same chunks over and over; they end where a message ends. */
function following(from: Sender, chunks: readonly Buffer[], messages: number): Work {
  return {
    run: () => {
      const tracker = new FrameTracker(from);
      for (let time = 0; time < TIMES; time += 1) for (const chunk of chunks) tracker.track(chunk);
      return tracker.isAtMessageBoundary ? tracker.messages : -1;
    },
    expected: TIMES * messages,
  };
}

function packed(from: Sender): Work {
  const stream = Buffer.concat(Array.from({ length: FRAMES }, () => frame(from, 64)));
  return following(from, cut(stream, CHUNK_BYTES, CHUNK_BYTES), FRAMES);
}

function alone(from: Sender, size: number): Work {
  return following(from, Array.from<Buffer>({ length: FRAMES }).fill(frame(from, size)), FRAMES);
}

/** Each chunk ends with the first byte of a header. */
function split(from: Sender): Work {
  const one = frame(from, 64);
  const stream = Buffer.concat(Array.from({ length: FRAMES }, () => one));
  return following(from, cut(stream, 1, one.length), FRAMES);
}

/** The worst that a client can do to a header: each of its six bytes is a chunk. */
function crumbled(): Work {
  const one = frame("client", 64);
  const pieces = Array.from({ length: FRAMES / 10 }, () => [...cut(one.subarray(0, 6), 1, 1), one.subarray(6)]).flat();
  return following("client", pieces, FRAMES / 10);
}

/** A frame of 2^50 bytes: its chunks only have to be counted off. */
function inside(from: Sender): Work {
  const head = frame(from, 2 ** 16).subarray(0, from === "client" ? 14 : 10);
  head.writeBigUInt64BE(2n ** 50n, 2);
  const payload = Buffer.alloc(CHUNK_BYTES);
  return {
    run: () => {
      const tracker = new FrameTracker(from);
      tracker.track(head);
      for (let chunk = 0; chunk < FRAMES * TIMES; chunk += 1) tracker.track(payload);
      return tracker.isOpaque || tracker.isAtFrameBoundary ? -1 : tracker.messages;
    },
    expected: 0,
  };
}

function scenario(name: string, setup: () => Work, units = FRAMES * TIMES): Scenario {
  return { name, unit: "ns", goal: GOAL_NS, units, setup };
}

/** What following frames costs, apart from any socket. */
export function scenarios(): readonly Scenario[] {
  const both = (["client", "backend"] as const).flatMap((from) => [
    scenario(`frame of 64 B, many in a chunk, from ${from}`, () => packed(from)),
    scenario(`frame of 64 B, one per chunk, from ${from}`, () => alone(from, 64)),
    scenario(`frame of 1 kB, one per chunk, from ${from}`, () => alone(from, 1_000)),
    scenario(`frame of 64 B, header in two chunks, from ${from}`, () => split(from)),
    scenario(`chunk of 64 KiB inside a frame, from ${from}`, () => inside(from)),
  ]);
  return [...both, scenario("frame of 64 B, header in six chunks, from client", crumbled, (FRAMES / 10) * TIMES)];
}
