import { type FileStamp, findAt, readText, statLink } from "./file-stamp.ts";

/** What a look at a file comes to. */
export type Look =
  | { readonly kind: "same" }
  /** It is being written, or so it seems: look again then. */
  | { readonly kind: "wait"; readonly delayMs: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "gone" }
  | { readonly kind: "trouble"; readonly message: string };

export interface LookOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs: number;
  /** Milliseconds since 1970, to compare with the file system's times. */
  readonly wallMs: number;
  /** The first reading of a folder takes everything as it is. */
  readonly isHurried: boolean;
}

/** An editor that writes in place, or moves the old file away first, is done well before. */
const QUIET_MS = 25;
/** Longer than a new file waits, so that what is moved from one file to another is never missing. */
const GONE_MS = 50;
/** An empty file, or one whose last line has no end, is probably not finished. */
const UNFINISHED_MS = 250;
/** Whoever writes without a pause is read after this long all the same. */
const LONGEST_WAIT_MS = 5000;
/** File systems tell changes within a few milliseconds not apart: a version this young may not be the last of its stamp. */
const YOUNG_MS = 50;

type Version = Pick<FileStamp, "version" | "modifiedMs">;
const NOTHING: Version = { version: "missing", modifiedMs: Number.POSITIVE_INFINITY };

/**
 * One path of the folder over time: says when its content is worth reading, and reads it. A file that was replaced (a new
 * inode under the name) is read at once; one that is written in place, once it has been quiet for a moment.
 */
export class TrackedFile {
  readonly #path: string;
  #read: { readonly stamp: FileStamp; readonly isYoung: boolean } | undefined;
  /** A version that is not read yet, and since when it has been quiet. */
  #seen: { readonly version: string; quietSinceMs: number; readonly firstMs: number } | undefined;
  #hintedMs: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Something happened to it. */
  hinted(nowMs: number): void {
    this.#hintedMs = nowMs;
    if (this.#seen !== undefined) this.#seen.quietSinceMs = nowMs;
  }

  look(options: LookOptions): Look {
    const look = this.#look(options);
    if (look.kind !== "wait") {
      this.#seen = undefined;
      this.#hintedMs = undefined;
    }
    return look;
  }

  #look(options: LookOptions): Look {
    const found = findAt(this.#path);
    if (found.kind === "trouble") return this.#misread(found.message);
    if (found.kind === "folder") return { kind: "gone" };
    if (found.kind === "missing") return this.#lookAtNothing(options);
    const isKnown = found.stamp.version === this.#read?.stamp.version;
    if (isKnown && this.#read?.isYoung === false) return { kind: "same" };
    const isReplaced = this.#read !== undefined && this.#read.stamp.identity !== found.stamp.identity;
    const wait = this.#waitFor(found.stamp, isReplaced ? 0 : QUIET_MS, options);
    return wait ?? this.#readNow(found.stamp, isReplaced, options);
  }

  #readNow(stamp: FileStamp, isReplaced: boolean, options: LookOptions): Look {
    const content = readText(this.#path, stamp);
    if (content.kind === "trouble") return this.#misread(content.message);
    if (content.kind === "missing") return this.#lookAtNothing(options);
    if (content.kind === "moved") return { kind: "wait", delayMs: QUIET_MS };
    const unfinishedMs = isReplaced && content.text !== "" ? QUIET_MS : UNFINISHED_MS;
    const wait = isFinished(content.text) ? undefined : this.#waitFor(stamp, unfinishedMs, options);
    if (wait !== undefined) return wait;
    this.#read = { stamp, isYoung: Math.abs(options.wallMs - stamp.changedMs) < YOUNG_MS };
    return content;
  }

  /** It may come back in a moment: some editors move a file away before they write it anew. */
  #lookAtNothing(options: LookOptions): Look {
    const wait = this.#waitFor(NOTHING, GONE_MS, options);
    if (wait !== undefined) return wait;
    return statLink(this.#path)?.isSymbolicLink() === true
      ? this.#misread("is a link that leads nowhere")
      : { kind: "gone" };
  }

  #misread(message: string): Look {
    this.#read = undefined;
    return { kind: "trouble", message };
  }

  /** undefined: that version has been quiet for so long, or nobody may wait any longer. */
  #waitFor({ version, modifiedMs }: Version, quietMs: number, options: LookOptions): Look | undefined {
    const { nowMs, wallMs, isHurried } = options;
    if (this.#seen?.version !== version) {
      const firstMs = this.#seen?.firstMs ?? nowMs;
      this.#seen = { version, firstMs, quietSinceMs: this.#seen === undefined ? (this.#hintedMs ?? nowMs) : nowMs };
    }
    if (isHurried || nowMs - this.#seen.firstMs >= LONGEST_WAIT_MS) return undefined;
    // A file that was moved here may have been finished long ago.
    const delayMs = quietMs - Math.max(nowMs - this.#seen.quietSinceMs, wallMs - modifiedMs);
    return delayMs > 0 ? { kind: "wait", delayMs: Math.min(delayMs, quietMs) } : undefined;
  }
}

/** Text that ends with its line; JSON is whole when it parses, whatever it ends with. */
function isFinished(text: string): boolean {
  if (text.endsWith("\n")) return true;
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
