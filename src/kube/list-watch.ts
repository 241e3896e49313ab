import { pause } from "../controller/index.ts";
import { backOffMs } from "./back-off.ts";
import { readList } from "./list-pages.ts";
import { Pulse } from "./pulse.ts";
import { compareVersions } from "./resource-version.ts";
import type { ListWatchOptions } from "./list-watch-options.ts";
import { apiVersionOf, pathOf } from "./resources.ts";
import { type KubeProblem, isLikelyToPass, scopeWords, Trouble } from "./troubles.ts";
import { ApiError } from "./types.ts";
import { causeOf, type ObjectEvent, readEvents, versionOf, wentBackWords } from "./watch-events.ts";

interface Watch {
  readonly path: string;
  readonly apiVersion: string;
  /** From where it goes on. */
  readonly version: string;
  readonly signal: AbortSignal;
}

/** A server's end so much before its time is still that end. */
const EARLY_END_MS = 1000;
const HEALTHY_MS = 60_000;
/** A watch that was refused, or is cut each time, ends sooner. */
const LASTING_MS = 5000;
const TOLD_LIST_FAILURES = 2;
const TOLD_WATCH_FAILURES = 3;
const LARGEST_PAGE_SIZE = 10_000;
/** However long a server asks to wait. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/**
 * Follows one resource: lists it, then watches it from there. Whatever ends a watch other than the server in its time
 * leads to a new list, since only a list tells the truth whatever happened. Above all, etcd may have been restored to an
 * older revision: kube-apiserver then accepts a watch from a version that it has yet to reach and leaves out all that
 * happens until then. Runs until its signal, whatever the server says; what was read last stays with the sink.
 */
export class ListWatch<Item> {
  readonly #options: ListWatchOptions<Item>;
  readonly #what: string;
  readonly #synced = Promise.withResolvers<void>();
  #pageSize: number;
  readonly #trouble: Trouble;
  #freshMs: number | undefined;
  #hasList = false;
  #isEmpty = true;
  /** In a row. */
  #absences = 0;
  #listFailures = 0;
  #watchFailures = 0;

  constructor(options: ListWatchOptions<Item>) {
    this.#options = options;
    this.#what = scopeWords(options.resource, options.namespace);
    this.#trouble = new Trouble(options);
    this.#pageSize = options.pageSize;
  }

  /** Resolves after the first whole list; for an optional resource also when it is known that there is none to be had. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** What keeps it from following now. */
  get problem(): KubeProblem | undefined {
    return this.#trouble.problem;
  }

  /** When it was last known to be current, in milliseconds since 1970; undefined = never. */
  get freshMs(): number | undefined {
    return this.#freshMs;
  }

  /** Resolves after the signal; never rejects on what a server says. */
  async run(signal: AbortSignal): Promise<void> {
    const { after, random } = this.#options;
    while (!signal.aborted) {
      let error: ApiError;
      try {
        error = await this.#listAndWatch(signal);
      } catch (thrown) {
        if (!(thrown instanceof ApiError)) throw thrown;
        error = thrown;
        if (!signal.aborted) this.#listFailed(error);
      }
      if (signal.aborted) return;
      await pause(this.#delayMs(error, random), after, signal);
    }
  }

  /** Answers why the watch ended; rejects when the list failed. */
  async #listAndWatch(signal: AbortSignal): Promise<ApiError> {
    const { path, apiVersion, version } = await this.#list(signal);
    let startedMs = this.#options.now();
    try {
      for (let last = version; ; startedMs = this.#options.now()) {
        last = await this.#watch({ path, apiVersion, version: last, signal });
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!signal.aborted) this.#watchFailed(error, this.#options.now() - startedMs);
      return error;
    }
  }

  async #list(signal: AbortSignal): Promise<{ path: string; apiVersion: string; version: string }> {
    const { api, resource, namespace, sink } = this.#options;
    let missing: unknown;
    for (const served of resource.versions) {
      const path = pathOf(resource, served, namespace);
      const apiVersion = apiVersionOf(resource, served);
      try {
        const { items, version } = await readList({
          api,
          path,
          pageSize: this.#pageSize,
          signal,
          read: (object) => sink.read(object, apiVersion),
        });
        this.#listed(items);
        return { path, apiVersion, version };
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        missing = error;
      }
    }
    throw missing;
  }

  #listed(items: readonly Item[]): void {
    const { sink, log } = this.#options;
    sink.replace(items);
    if (this.#absences > 0) log.info({ resource: this.#what }, "served here from now on");
    this.#hasList = true;
    this.#isEmpty = items.length === 0;
    this.#absences = 0;
    this.#listFailures = 0;
    this.#heard();
    this.#trouble.mended("list");
    this.#synced.resolve();
  }

  /** Resolves with the last version seen when the server ended the watch in its time. */
  async #watch(watch: Watch): Promise<string> {
    const { api, after, random, now, watchMs, observer, resource } = this.#options;
    const seconds = Math.ceil((watchMs * (1 + random() / 4)) / 1000);
    const startedMs = now();
    let { version } = watch;
    const query = {
      watch: "1",
      allowWatchBookmarks: "true",
      resourceVersion: version,
      timeoutSeconds: String(seconds),
    };
    const dead = new AbortController();
    const pulse = this.#pulseOf(watch, dead);
    const cancelMended = after(LASTING_MS, () => this.#trouble.mended("watch"));
    try {
      await api.watch({ path: watch.path, query, signal: AbortSignal.any([watch.signal, dead.signal]) }, (values) => {
        pulse.heard();
        const read = readEvents(values, version);
        version = read.version;
        this.#take(read.events, watch.apiVersion);
      });
    } catch (error) {
      throw dead.signal.aborted ? dead.signal.reason : error;
    } finally {
      cancelMended();
      pulse.stop();
      dead.abort();
    }
    if (now() - startedMs >= seconds * 1000 - EARLY_END_MS) {
      observer?.watchEnded(resource.kind, "done");
      return version;
    }
    throw new ApiError({ status: 0, reason: "CutOff", message: "the server ended the watch before its time" });
  }

  #pulseOf({ path, version, signal }: Watch, dead: AbortController): Pulse {
    const { api, after, now, silenceMs } = this.#options;
    const die = (reason: string, message: string): void => dead.abort(new ApiError({ status: 0, reason, message }));
    return new Pulse({
      silenceMs,
      after,
      now,
      onDead: () => die("Timeout", `the watch has said nothing for ${silenceMs / 1000} s`),
      ask: async () => {
        const page = await api.page({ path, query: { limit: "1" }, signal: AbortSignal.any([signal, dead.signal]) });
        const newest = versionOf(page);
        if ((compareVersions(newest, version) ?? 0) < 0) die("WentBack", wentBackWords(newest, version));
        if (newest !== version) return "Moved";
        this.#heard();
        return "Same";
      },
    });
  }

  #take(events: readonly ObjectEvent[], apiVersion: string): void {
    const { sink } = this.#options;
    this.#heard();
    this.#trouble.mended("watch");
    if (events.length === 0) return;
    this.#isEmpty = false;
    sink.apply(events.map(({ type, object }) => ({ type, item: sink.read(object, apiVersion) })));
  }

  #heard(): void {
    this.#freshMs = this.#options.wallNow();
  }

  #watchFailed(error: ApiError, lastedMs: number): void {
    const { log, observer, resource } = this.#options;
    observer?.watchEnded(resource.kind, causeOf(error));
    this.#watchFailures = lastedMs >= HEALTHY_MS ? 1 : this.#watchFailures + 1;
    log.info({ resource: this.#what, reason: error.message }, "a watch ended; listing again");
    // Once is nothing: the list that follows makes it good.
    if (this.#watchFailures >= TOLD_WATCH_FAILURES) this.#trouble.tell("watch", error);
  }

  #listFailed(error: ApiError): void {
    const { resource } = this.#options;
    this.#listFailures += 1;
    // A list that takes longer than its server keeps the revision: fewer pages. One that is too large: smaller ones.
    if (error.status === 410) this.#pageSize = Math.min(this.#pageSize * 2, LARGEST_PAGE_SIZE);
    if (error.reason === "TooLarge") this.#pageSize = Math.max(1, Math.floor(this.#pageSize / 2));
    if (resource.need === "Optional" && error.status === 404) return this.#absent();
    this.#absences = 0;
    // Once is nothing, where the next try may go well.
    if (!isLikelyToPass(error) || this.#listFailures >= TOLD_LIST_FAILURES) this.#trouble.tell("list", error);
    // Nobody is to wait for what he may never read. What was read before stays: rights come late while a server starts.
    if (resource.need === "Optional" && error.status === 403) this.#synced.resolve();
  }

  /** Not served, so there is none. While a server starts it does not know yet what it is going to serve. */
  #absent(): void {
    const { sink, log } = this.#options;
    this.#absences += 1;
    this.#trouble.mended("list");
    this.#heard();
    if (this.#absences === 1 && !this.#hasList)
      log.info({ resource: this.#what }, "not served here: there is none of it");
    if (this.#absences === 2 && this.#hasList && !this.#isEmpty) {
      log.info({ resource: this.#what }, "not served any more: there is none of it now");
      sink.replace([]);
      this.#isEmpty = true;
    }
    this.#synced.resolve();
  }

  #delayMs(error: ApiError, random: () => number): number {
    const { absentRetryMs } = this.#options;
    if (this.#absences > 0) return absentRetryMs * (0.75 + random() / 2);
    const waitMs = backOffMs(Math.max(this.#listFailures, this.#watchFailures), random);
    return Math.max(waitMs, Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS));
  }
}
