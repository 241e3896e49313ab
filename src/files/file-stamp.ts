import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
  type BigIntStats,
  type Stats,
} from "node:fs";

/** By what a version of a file is known. */
export interface FileStamp {
  /** Device and inode: another one is another file under the same name. */
  readonly identity: string;
  /** Changes with every change of the file that the file system's clock can tell apart. */
  readonly version: string;
  /** Milliseconds since 1970: when content or name last changed. */
  readonly changedMs: number;
  /** Milliseconds since 1970: when content was last written. */
  readonly modifiedMs: number;
  readonly sizeBytes: number;
}

export type Found =
  | { readonly kind: "file"; readonly stamp: FileStamp }
  | { readonly kind: "folder"; readonly identity: string }
  | { readonly kind: "missing" }
  | { readonly kind: "trouble"; readonly message: string };

export type FileText =
  | { readonly kind: "text"; readonly text: string }
  /** It changed while it was being read. */
  | { readonly kind: "moved" }
  | { readonly kind: "missing" }
  | { readonly kind: "trouble"; readonly message: string };

const MOST_FILE_BYTES = 64 * 1024 * 1024;

// These calls are synchronous: the control thread has nothing to do until they return, and for thousands of small files
// they take a tenth of the time that promises do.

/** What stands at a path; links are followed. Never throws. */
export function findAt(path: string): Found {
  try {
    const stats = statSync(path, { bigint: true });
    // Inodes are used again at once, so that of a folder says little without the time it was made.
    if (stats.isDirectory()) return { kind: "folder", identity: `${identityOf(stats)}:${stats.birthtimeNs}` };
    // A pipe or a device would keep whoever reads it waiting.
    if (!stats.isFile()) return { kind: "trouble", message: "is neither a file nor a folder" };
    return { kind: "file", stamp: stampOf(stats) };
  } catch (error) {
    return isMissing(error) ? { kind: "missing" } : { kind: "trouble", message: `cannot be read: ${describe(error)}` };
  }
}

/** What stands at a path itself, links not followed; undefined = nothing that can be looked at. Never throws. */
export function statLink(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // Whoever reads the file will find out why.
    return undefined;
  }
}

/** The whole text of a file as one version of it had it. Never throws. */
export function readText(path: string, expected: FileStamp): FileText {
  if (expected.sizeBytes > MOST_FILE_BYTES) return { kind: "trouble", message: "must not exceed 64 MiB" };
  try {
    const bytes = readBytes(path, expected);
    const after = findAt(path);
    if (bytes === undefined || after.kind !== "file" || after.stamp.version !== expected.version)
      return { kind: "moved" };
    return decode(bytes);
  } catch (error) {
    return isMissing(error) ? { kind: "missing" } : { kind: "trouble", message: `cannot be read: ${describe(error)}` };
  }
}

/** What went wrong, as the system names it: `EACCES: permission denied`. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+(?: '.*')?$/s, "") : String(error);
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

/** undefined: it is not the expected version. Never reads more than that version had. */
function readBytes(path: string, expected: FileStamp): Uint8Array | undefined {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (stampOf(fstatSync(descriptor, { bigint: true })).version !== expected.version) return undefined;
    const bytes = Buffer.allocUnsafe(expected.sizeBytes);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (read === 0) return undefined;
      length += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

function decode(bytes: Uint8Array): FileText {
  try {
    return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { kind: "trouble", message: "must be UTF-8" };
  }
}

function stampOf(stats: BigIntStats): FileStamp {
  const identity = identityOf(stats);
  return {
    identity,
    version: `${identity}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`,
    changedMs: Number(stats.mtimeMs > stats.ctimeMs ? stats.mtimeMs : stats.ctimeMs),
    modifiedMs: Number(stats.mtimeMs),
    sizeBytes: Number(stats.size),
  };
}

function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}
