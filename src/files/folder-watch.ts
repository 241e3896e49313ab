import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";

export interface FolderWatchListeners {
  /** A name in a folder of the tree was touched; undefined = some name. */
  readonly onHint: (folder: string, name: string | undefined) => void;
  /** A folder cannot be watched. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Watches folders. What it tells are hints to look again, never facts: events are merged, lost under load and different
 * on every system.
 */
export class FolderWatch {
  readonly #root: string;
  readonly #listeners: FolderWatchListeners;
  readonly #watchers = new Map<string, { readonly identity: string; readonly watcher: FSWatcher }>();

  constructor(root: string, listeners: FolderWatchListeners) {
    this.#root = root;
    this.#listeners = listeners;
  }

  /** Whether a folder of that path is watched. */
  has(folder: string): boolean {
    return this.#watchers.has(folder);
  }

  /** Watches this folder; another identity under a known path is another folder. */
  add(folder: string, identity: string): void {
    const known = this.#watchers.get(folder);
    if (known?.identity === identity) return;
    known?.watcher.close();
    this.#watchers.delete(folder);
    try {
      const watcher = watch(join(this.#root, folder), { persistent: true }, (_event, name) =>
        this.#listeners.onHint(folder, name ?? undefined),
      );
      watcher.on("error", () => {
        this.#drop(folder, watcher);
        this.#listeners.onHint(folder, undefined);
      });
      this.#watchers.set(folder, { identity, watcher });
    } catch (error) {
      this.#listeners.onFailure(error);
    }
  }

  /** Ends watching all other folders. */
  keepOnly(folders: ReadonlyMap<string, string>): void {
    for (const [folder, { watcher }] of this.#watchers) if (!folders.has(folder)) this.#drop(folder, watcher);
  }

  close(): void {
    for (const [folder, { watcher }] of this.#watchers) this.#drop(folder, watcher);
  }

  #drop(folder: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(folder)?.watcher === watcher) this.#watchers.delete(folder);
  }
}
