import { crc32 } from "node:zlib";
import { Random } from "./random.ts";

/** Tunnel, side, sequence, size, hash of the rest: four bytes each, but for one of the side. */
const TAG_BYTES = 17;
const POOL_BYTES = 2 * 1024 * 1024;

/** Bytes that tell of themselves where they belong. Smaller ones than a tag cannot; the ledger knows those. */
export class Payloads {
  readonly #pool: Buffer;

  constructor(seed: number) {
    const random = new Random(seed, 0x9001);
    const words = new Uint32Array(POOL_BYTES / 4);
    for (let at = 0; at < words.length; at += 1) words[at] = random.next() * 2 ** 32;
    this.#pool = Buffer.from(words.buffer);
  }

  make(of: MessageName, size: number, random: Random): Buffer {
    const from = random.int(0, POOL_BYTES - size);
    const bytes = Buffer.from(this.#pool.subarray(from, from + size));
    if (size < TAG_BYTES) return bytes;
    bytes.writeUInt32BE(of.tunnel, 0);
    bytes.writeUInt8(of.side === "client" ? 1 : 2, 4);
    bytes.writeUInt32BE(of.sequence, 5);
    bytes.writeUInt32BE(size, 9);
    bytes.writeUInt32BE(crc32(bytes.subarray(TAG_BYTES)), 13);
    return bytes;
  }
}

export interface MessageName {
  readonly tunnel: number;
  readonly side: "client" | "backend";
  readonly sequence: number;
}

/** What is wrong with a message as it came; undefined = nothing. */
export function messageProblem(bytes: Buffer, expected: MessageName): string | undefined {
  if (bytes.length < TAG_BYTES) return undefined;
  const side = bytes.readUInt8(4) === 1 ? "client" : "backend";
  const name = `tunnel ${bytes.readUInt32BE(0)}, ${side}, message ${bytes.readUInt32BE(5)}`;
  const wanted = `tunnel ${expected.tunnel}, ${expected.side}, message ${expected.sequence}`;
  if (name !== wanted) return `got ${name} in place of ${wanted}`;
  if (bytes.readUInt32BE(9) !== bytes.length) return `${name} has ${bytes.length} bytes, not ${bytes.readUInt32BE(9)}`;
  return crc32(bytes.subarray(TAG_BYTES)) === bytes.readUInt32BE(13) ? undefined : `${name} has other bytes`;
}
