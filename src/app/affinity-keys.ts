import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AffinityKeys } from "../upstream/index.ts";

/** Below it a key could be guessed, and with it every cookie. */
const LEAST_BYTES = 32;
/** Above it, it is another file that is meant. */
const MOST_BYTES = 4_096;

/**
 * What is wrong with the key for affinity, and what to do. Never with the key in it, nor with what the flag says: that may
 * be a key, by mistake.
 */
export class AffinityKeyError extends Error {
  override readonly name = "AffinityKeyError";
}

/**
 * Reads the key: from a file, or from a folder with the files `current` and, if there is another one, `previous`, as a
 * Secret is mounted. Rejects with an AffinityKeyError.
 */
export async function readAffinityKeys(path: string): Promise<AffinityKeys> {
  if (!(await isFolder(path))) return { current: required(await readKey(path, "it"), "it"), previous: undefined };
  // In this order: a rotation between the two reads then loses the oldest key early, never the one that was in force.
  const current = required(await readKey(join(path, "current"), "its file current"), "its file current");
  return { current, previous: await readKey(join(path, "previous"), "its file previous") };
}

export function isSameKeys(a: AffinityKeys, b: AffinityKeys): boolean {
  return isSameKey(a.current, b.current) && isSameKey(a.previous, b.previous);
}

function isSameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const code = codeOf(error);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "ENAMETOOLONG") throw problem(`cannot be read (${code})`);
    throw problem("names nothing that exists: it is the path of a file or a folder, not the key itself");
  }
}

function required(key: Uint8Array | undefined, name: string): Uint8Array {
  if (key === undefined) throw problem(`leads to no key: ${name} is missing or empty`);
  return key;
}

/** Without the end of its line; undefined = there is no such file, or nothing in it. */
async function readKey(file: string, name: string): Promise<Uint8Array | undefined> {
  const bytes = await readShort(file, name);
  let { length } = bytes;
  while (length > 0 && (bytes[length - 1] === 0x0a || bytes[length - 1] === 0x0d)) length--;
  if (length === 0) return undefined;
  if (length < LEAST_BYTES) {
    throw problem(
      `leads to a key that is too short: ${name} has ${length} bytes, and must have ${LEAST_BYTES} or more. ` +
        "openssl rand -base64 48 makes one",
    );
  }
  return bytes.subarray(0, length);
}

/** A file's bytes; none when there is no file. Never waits for a pipe, and never reads without end. */
async function readShort(file: string, name: string): Promise<Buffer> {
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile()) throw problem(`leads to no key: ${name} is not a file`);
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(MOST_BYTES + 1) });
    if (bytesRead > MOST_BYTES) throw problem(`leads to no key: ${name} is larger than ${MOST_BYTES} bytes`);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (error instanceof AffinityKeyError) throw error;
    if (codeOf(error) === "ENOENT") return Buffer.alloc(0);
    throw problem(`leads to no key: ${name} cannot be read (${codeOf(error)})`);
  }
}

function problem(words: string): AffinityKeyError {
  return new AffinityKeyError(`--affinity-key ${words}.`);
}

/** The system's word for it; its whole message would have the path in it. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
