import type { Log } from "../controller/index.ts";
import type { AffinityKeys } from "../upstream/index.ts";
import { AffinityKeyError, isSameKeys, readAffinityKeys } from "./affinity-keys.ts";

export interface AffinityKeyWatchOptions {
  /** Of a file or a folder. */
  readonly path: string;
  readonly log: Log;
  /** It is read again so often: a mounted Secret changes by a symbolic link, which no watch on a file sees. */
  readonly everyMs: number;
}

/**
 * The key for affinity as it is now. A change counts from the next request on; what is broken is said once, and the last
 * good key stays in force.
 */
export class AffinityKeyWatch implements Disposable {
  readonly #options: AffinityKeyWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #keys: AffinityKeys;
  #fault: string | undefined = undefined;
  #isReading = false;

  private constructor(options: AffinityKeyWatchOptions, keys: AffinityKeys) {
    this.#options = options;
    this.#keys = keys;
    this.#timer = setInterval(() => void this.#readAgain(), options.everyMs);
    this.#timer.unref();
  }

  /** Rejects with an AffinityKeyError when there is no key now. */
  static async start(options: AffinityKeyWatchOptions): Promise<AffinityKeyWatch> {
    return new AffinityKeyWatch(options, await readAffinityKeys(options.path));
  }

  /** The same object for as long as nothing has changed. */
  get keys(): AffinityKeys {
    return this.#keys;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #readAgain(): Promise<void> {
    // A file system that hangs is asked by one question at a time.
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      this.#follow(await readAffinityKeys(this.#options.path));
    } catch (error) {
      this.#complain(error instanceof AffinityKeyError ? error.message : "--affinity-key cannot be read.");
    } finally {
      this.#isReading = false;
    }
  }

  #follow(keys: AffinityKeys): void {
    const { log } = this.#options;
    if (this.#fault !== undefined) log.info({}, "the affinity key can be read again");
    this.#fault = undefined;
    if (isSameKeys(this.#keys, keys)) return;
    this.#keys = keys;
    log.info({ hasPrevious: keys.previous !== undefined }, "the affinity key is another now");
  }

  #complain(fault: string): void {
    if (this.#fault === fault) return;
    this.#fault = fault;
    this.#options.log.warn({ problem: fault }, "the affinity key cannot be read; the last one stays in force");
  }
}
