import { access, constants, lstat, unlink } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";

/** A unix socket cannot be had at a path; the message says why, in words. */
export class SocketFileError extends Error {
  override readonly name = "SocketFileError";
}

/** sun_path of unix(7) has 108 bytes, one of them for the end. */
const MAX_PATH_BYTES = 107;
/** Nobody but the user that Holdfast runs as. */
const OTHERS = 0o177;

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder is no folder",
  EACCES: "this user may not write in its folder",
  EPERM: "this user may not write in its folder",
  EROFS: "its folder is on a file system that is read-only",
  EADDRINUSE: "another process has just taken it",
};

/**
 * Makes `server` listen on a unix socket that only this user may open. What a dead process left there is replaced; what
 * a living one listens on, and what is no socket, is left alone.
 */
export async function listenOnSocketFile(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new SocketFileError(`its path is longer than the ${MAX_PATH_BYTES} bytes that a socket's may have`);
  }
  try {
    // To bind says the same of a folder that is missing and of one that is not ours.
    await access(dirname(path), constants.W_OK);
    await clear(path);
    await listen(server, path);
  } catch (error) {
    if (error instanceof SocketFileError) throw error;
    throw new SocketFileError(WORDS[codeOf(error)] ?? String(error), { cause: error });
  }
}

/** Takes away a socket that nobody answers on. */
async function clear(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new SocketFileError("something is there that is no socket");
  if (await answers(path)) throw new SocketFileError("a living process listens on it");
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      if (["ECONNREFUSED", "ENOENT"].includes(codeOf(error))) resolve(false);
      // Its backlog is full: somebody is there.
      else if (codeOf(error) === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // The file comes into being inside of this call; with its rights from the first moment on.
    const usual = process.umask(OTHERS);
    try {
      server.listen({ path }, () => {
        server.removeListener("error", reject);
        resolve();
      });
    } finally {
      process.umask(usual);
    }
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
