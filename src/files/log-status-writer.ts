import type { Log, StatusPatch, StatusWriter } from "../controller/index.ts";

/** Deleted routes are not told of; the oldest complaints are forgotten beyond this many. */
const MOST_REMEMBERED = 10_000;

/** Says in the log what a cluster would show in a route's status: what is not True, and when it is again. */
export class LogStatusWriter implements StatusWriter {
  readonly #log: Log;
  /** What was said last of each condition that is not True. */
  readonly #said = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  write(patches: readonly StatusPatch[]): Promise<void> {
    for (const { route, conditions } of patches) {
      for (const { type, status, reason, message } of conditions) {
        const key = `${route}|${type}`;
        if (status === "True") {
          if (this.#said.delete(key)) this.#log.info({ route, type, reason }, "route condition is met again");
          continue;
        }
        const text = `${status}|${reason}|${message}`;
        if (this.#said.get(key) === text) continue;
        this.#remember(key, text);
        this.#log.warn({ route, type, status, reason, message }, "route condition is not met");
      }
    }
    return Promise.resolve();
  }

  #remember(key: string, text: string): void {
    this.#said.delete(key);
    this.#said.set(key, text);
    const [oldest] = this.#said.keys();
    if (this.#said.size > MOST_REMEMBERED && oldest !== undefined) this.#said.delete(oldest);
  }
}
