import type { Stats } from "node:fs";
import { join } from "node:path";
import { type After, afterDelay, type ClusterChange, type ClusterSource, type Log } from "../controller/index.ts";
import { type DnsOptions, ObjectFeed } from "../dns/index.ts";
import type { ClusterSnapshot } from "../graph/index.ts";
import { DueList } from "./due-list.ts";
import { FileBook } from "./file-book.ts";
import { describe, findAt, statLink } from "./file-stamp.ts";
import { isManifestName, pathIn, scanFolder } from "./folder-scan.ts";
import { FolderWatch } from "./folder-watch.ts";
import type { Problem } from "./problems.ts";
import { TrackedFile } from "./tracked-file.ts";

export interface FolderSourceOptions extends DnsOptions {
  readonly folder: string;
  readonly log: Log;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow?: () => number;
  /** How often everything is looked at again although nothing was heard: events can be lost. */
  readonly rescanIntervalMs?: number;
}

/** Events of one save come in a burst. */
const GATHER_MS = 5;
/** After so long within one turn the rest waits for the next, so that changes go out and timers run. */
const LONGEST_TURN_MS = 20;
const ROOT_CHECK_MS = 1000;
const RESCAN_INTERVAL_MS = 10_000;
/** A folder that came back may still be filling. */
const REFILL_MS = 500;
/** No path of the folder is called so. */
const RESCAN = "/";

/**
 * The source that reads a watched folder of manifests. Whatever an event says, only the files are believed: it names what
 * to look at again. A file or an object that is broken keeps its last good state and is told of in the log and by
 * `problems()`.
 */
export class FolderSource implements ClusterSource {
  readonly #folder: string;
  readonly #after: After;
  readonly #now: () => number;
  readonly #wallNow: () => number;
  readonly #rescanIntervalMs: number;
  readonly #book: FileBook;
  readonly #feed: ObjectFeed;
  readonly #watch: FolderWatch;
  readonly #due: DueList;
  readonly #files = new Map<string, TrackedFile>();
  #watchFailure: string | undefined;
  /** What the folder was when it was listed last; undefined = gone. */
  #rootIdentity: string | undefined;
  #isHurried = true;
  #keepUntilMs = 0;
  #lastScanMs = 0;
  #cancelRootCheck: (() => void) | undefined;

  constructor(options: FolderSourceOptions) {
    this.#folder = options.folder;
    this.#after = options.after ?? afterDelay;
    this.#now = options.now ?? (() => performance.now());
    this.#wallNow = options.wallNow ?? Date.now;
    this.#rescanIntervalMs = options.rescanIntervalMs ?? RESCAN_INTERVAL_MS;
    this.#book = new FileBook(options.log);
    this.#feed = new ObjectFeed({
      externalNames: {
        ...options,
        onTrouble: (service, message) => this.#book.setObjectProblem(`Service|${service}`, message),
      },
    });
    this.#watch = new FolderWatch(this.#folder, {
      onHint: (folder, name) => this.#hint(folder, name),
      onFailure: (error) => (this.#watchFailure = describe(error)),
    });
    this.#due = new DueList({ after: this.#after, now: this.#now, onDue: () => this.#turn() });
  }

  /** Reads the whole folder. Rejects when there is none; what is wrong inside it is a problem and no reason to stop. */
  async start(signal: AbortSignal): Promise<void> {
    const found = findAt(this.#folder);
    if (found.kind === "missing") throw new Error(`the folder ${this.#folder} does not exist`);
    if (found.kind === "trouble") throw new Error(`the folder ${this.#folder} ${found.message}`);
    if (found.kind === "file") throw new Error(`${this.#folder} is a file; a folder of manifests is needed`);
    if (signal.aborted) return;
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    this.#rescan();
    const [unlistable] = this.#rootIdentity === undefined ? this.problems() : [];
    if (unlistable !== undefined) throw new Error(`the folder ${this.#folder}: ${unlistable.message}`);
    while (this.#due.isDue() && !signal.aborted) {
      this.#turn();
      await new Promise<void>((resolve) => this.#after(0, resolve));
    }
    this.#isHurried = false;
    await this.#feed.start(signal);
    if (signal.aborted) return;
    this.#due.start();
    this.#checkRootLater();
  }

  snapshot(): ClusterSnapshot {
    return this.#feed.store;
  }

  onChange(listener: (change: ClusterChange) => void): void {
    this.#feed.onChange(listener);
  }

  /** What is wrong at the moment, in order of file and line. */
  problems(): readonly Problem[] {
    return this.#book.problems();
  }

  #stop(): void {
    this.#due.stop();
    this.#watch.close();
    this.#cancelRootCheck?.();
  }

  #hint(folder: string, name: string | undefined): void {
    // `..data` of a mounted ConfigMap: whatever links into it is another file now.
    if (name === undefined || name.startsWith("..")) return this.#due.add(RESCAN, GATHER_MS);
    if (name.startsWith(".")) return;
    const path = pathIn(folder, name);
    const stats = statLink(join(this.#folder, path));
    if (isManifestName(name) || this.#files.has(path)) {
      this.#fileAt(path).hinted(this.#now());
      this.#due.add(path, GATHER_MS);
    }
    if (this.#isAboutFolders(folder, path, stats)) this.#due.add(RESCAN, GATHER_MS);
  }

  /** A folder came or went, or a link, which may lead to one or to many files. */
  #isAboutFolders(folder: string, path: string, stats: Stats | undefined): boolean {
    if (stats !== undefined) return stats.isDirectory() || stats.isSymbolicLink();
    // A folder tells of its own end under its own name, which is no path inside it.
    return this.#watch.has(path) || findAt(join(this.#folder, folder)).kind !== "folder";
  }

  /** Looks at what is due and tells of what changed. */
  #turn(): void {
    const startedMs = this.#now();
    for (const path of this.#due.take(() => this.#now() - startedMs > LONGEST_TURN_MS)) {
      if (path === RESCAN) this.#rescan();
      else this.#lookAt(path);
    }
    this.#feed.apply(this.#book.takeChanges());
  }

  #lookAt(path: string): void {
    const nowMs = this.#now();
    const look = this.#fileAt(path).look({ nowMs, wallMs: this.#wallNow(), isHurried: this.#isHurried });
    switch (look.kind) {
      case "same":
        break;
      case "wait":
        this.#due.add(path, look.delayMs);
        break;
      case "text":
        this.#book.read(path, look.text);
        break;
      case "trouble":
        this.#book.misread(path, look.message);
        break;
      case "gone":
        this.#forget(path, nowMs);
        break;
      default:
        look satisfies never;
    }
  }

  #forget(path: string, nowMs: number): void {
    // With the whole folder gone, or just back, nobody deleted this file.
    if (this.#isRootAnother()) return this.#due.add(RESCAN, 0);
    if (nowMs < this.#keepUntilMs) return this.#due.add(path, this.#keepUntilMs - nowMs);
    this.#files.delete(path);
    this.#book.forget(path);
  }

  #fileAt(path: string): TrackedFile {
    const known = this.#files.get(path) ?? new TrackedFile(join(this.#folder, path));
    this.#files.set(path, known);
    return known;
  }

  /** Lists the folder anew and looks at every file of it, and at every file that was in it. */
  #rescan(): void {
    this.#lastScanMs = this.#now();
    this.#watchFailure = undefined;
    const scan = scanFolder(this.#folder, (folder, identity) => this.#watch.add(folder, identity));
    if (scan === undefined) {
      this.#watch.close();
      this.#rootIdentity = undefined;
      const message = "the folder is gone or cannot be listed; what it said last stays in force";
      this.#book.setFolderProblems([{ file: "", line: 0, message }]);
      return;
    }
    const rootIdentity = scan.folders.get("");
    if (!this.#isHurried && rootIdentity !== this.#rootIdentity) this.#keepUntilMs = this.#now() + REFILL_MS;
    this.#rootIdentity = rootIdentity;
    this.#watch.keepOnly(scan.folders);
    this.#book.setFolderProblems([...scan.problems, ...this.#watchProblems()]);
    for (const path of scan.files) this.#due.add(path, 0);
    for (const path of this.#files.keys()) this.#due.add(path, 0);
  }

  #isRootAnother(): boolean {
    const found = findAt(this.#folder);
    return (found.kind === "folder" ? found.identity : undefined) !== this.#rootIdentity;
  }

  #watchProblems(): readonly Problem[] {
    if (this.#watchFailure === undefined) return [];
    const seconds = this.#rescanIntervalMs / 1000;
    const message = `cannot be watched everywhere (${this.#watchFailure}); changes are found every ${seconds} s instead`;
    return [{ file: "", line: 0, message }];
  }

  /** Nothing tells that a missing folder is back, or that a link to the folder leads elsewhere now. */
  #checkRootLater(): void {
    this.#cancelRootCheck = this.#after(Math.min(ROOT_CHECK_MS, this.#rescanIntervalMs), () => {
      if (this.#isRootAnother() || this.#now() - this.#lastScanMs >= this.#rescanIntervalMs) this.#due.add(RESCAN, 0);
      this.#checkRootLater();
    });
  }
}
