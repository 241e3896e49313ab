import { type Dirent, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, findAt, isMissing } from "./file-stamp.ts";
import type { Problem } from "./problems.ts";

export interface FolderScan {
  /** Paths of manifests inside the folder, with `/`. */
  readonly files: readonly string[];
  /** Path of each folder, "" being the root, and what stands there: another identity is another folder. */
  readonly folders: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

const DEEPEST = 8;
const MOST_FOLDERS = 2000;
const MOST_FILES = 100_000;

/**
 * Lists a folder and its subfolders, following links; names that begin with a dot are left out, which holds the inside of
 * a mounted ConfigMap (`..data`) apart from its links. `enter` is called before a folder is listed, so that whoever
 * watches misses nothing. Never throws; undefined = the root cannot be listed.
 */
export function scanFolder(root: string, enter: (folder: string, identity: string) => void): FolderScan | undefined {
  const walk = new Walk(root, enter);
  const found = findAt(root);
  if (found.kind !== "folder" || !walk.visit("", [found.identity])) return undefined;
  return walk;
}

/** Whether a name is that of a manifest. */
export function isManifestName(name: string): boolean {
  return /\.(?:yaml|yml|json)$/.test(name) && !name.startsWith(".");
}

/** The path of a name in a folder of the tree. */
export function pathIn(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

class Walk implements FolderScan {
  readonly files: string[] = [];
  readonly folders = new Map<string, string>();
  readonly problems: Problem[] = [];
  readonly #root: string;
  readonly #enter: (folder: string, identity: string) => void;

  constructor(root: string, enter: (folder: string, identity: string) => void) {
    this.#root = root;
    this.#enter = enter;
  }

  /** `ancestors` holds the identities of the folders above and of this one: a link may lead back up. */
  visit(folder: string, ancestors: readonly string[]): boolean {
    const identity = ancestors.at(-1) ?? "";
    this.folders.set(folder, identity);
    this.#enter(folder, identity);
    const entries = this.#list(folder);
    for (const entry of entries ?? []) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory() || entry.isSymbolicLink()) this.#visitBelow(folder, entry, ancestors);
      else if (isManifestName(entry.name)) this.#addFile(pathIn(folder, entry.name));
    }
    return entries !== undefined;
  }

  #list(folder: string): readonly Dirent[] | undefined {
    try {
      return readdirSync(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      // What vanishes meanwhile is seen by its own event.
      if (!isMissing(error)) this.#report(folder, `cannot be listed: ${describe(error)}`);
      return undefined;
    }
  }

  #visitBelow(parent: string, { name }: Dirent, ancestors: readonly string[]): void {
    const path = pathIn(parent, name);
    const found = findAt(join(this.#root, path));
    if (found.kind !== "folder") {
      if (isManifestName(name)) this.#addFile(path);
      return;
    }
    if (ancestors.includes(found.identity))
      return this.#report(path, "is a link to a folder above it; it is not followed");
    if (ancestors.length > DEEPEST) return this.#report(path, `is more than ${DEEPEST} folders deep; it is not read`);
    if (this.folders.size >= MOST_FOLDERS)
      return this.#report(path, `is beyond ${MOST_FOLDERS} folders; it is not read`);
    this.visit(path, [...ancestors, found.identity]);
  }

  #addFile(path: string): void {
    if (this.files.length < MOST_FILES) this.files.push(path);
    else if (this.files.length === MOST_FILES) this.#report(path, `is beyond ${MOST_FILES} files; it is not read`);
  }

  #report(file: string, message: string): void {
    if (this.problems.length < 100) this.problems.push({ file, line: 0, message });
  }
}
