import { type After, pause, type StatusWriter, TokenBucket } from "../controller/index.ts";
import type { RoutePatch, RouteStatus } from "../status/index.ts";
import { backOffMs } from "./back-off.ts";
import type { RouteEvents } from "./events.ts";
import { compareVersions } from "./resource-version.ts";
import { readStanding, type StandingRoute } from "./standing.ts";
import { statusRequest } from "./status-apply.ts";
import { type Api, ApiError, type KubeObserver, type Leadership } from "./types.ts";

export interface KubeStatusWriterParts {
  readonly api: Api;
  readonly leadership: Leadership;
  /** Told of each status that was written. */
  readonly events: Pick<RouteEvents, "statusWritten">;
  readonly observer: Pick<KubeObserver, "statusWritten">;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly after: After;
  /** 0 to 1. */
  readonly random: () => number;
}

const MOST_AT_ONCE = 8;
const WRITES_PER_SECOND = 20;
const WRITE_BURST = 50;
/** For so long an own write counts although the watch has not brought it back. */
const OWN_WRITE_MS = 5_000;
const LONGEST_ASKED_PAUSE_MS = 60_000;
/** Nobody is there, or not ready: of no use to go on with others. */
const AWAY: ReadonlySet<number> = new Set([0, 502, 503, 504]);
/** The route is gone, or changed: the watch will say, and then it is compared again. */
const OUTDATED: ReadonlySet<number> = new Set([404, 409]);

/** What came of one call of `write`. */
interface Batch {
  readonly failures: ApiError[];
  isGivenUp: boolean;
}

/**
 * Writes statuses of routes to the API server while this replica leads. It knows what stands there from the watch and
 * from the answers to its own writes, so that nothing is written twice, also when another replica led before.
 */
export class KubeStatusWriter implements StatusWriter {
  readonly #parts: KubeStatusWriterParts;
  readonly #bucket: TokenBucket;
  readonly #watched = new Map<string, StandingRoute>();
  /** Answers to own writes that the watch has not brought back yet. */
  readonly #written = new Map<string, { readonly route: StandingRoute; readonly untilMs: number }>();
  /** Aborts when the leadership ends. */
  #term = new AbortController();
  #pausedUntilMs = -Infinity;
  #failuresInARow = 0;

  constructor(parts: KubeStatusWriterParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket({ burst: WRITE_BURST, perSecond: WRITES_PER_SECOND, now: parts.now });
    parts.leadership.onChange((isLeader) => {
      this.#term.abort();
      if (isLeader) this.#term = new AbortController();
    });
  }

  get isActive(): boolean {
    return this.#parts.leadership.isLeader;
  }

  onActive(listener: () => void): void {
    this.#parts.leadership.onChange((isLeader) => {
      if (isLeader) listener();
    });
  }

  /** The route as the API server gave it, with its status; undefined = it is gone. */
  observe(name: string, object: unknown): void {
    const route = object === undefined ? undefined : readStanding(object);
    if (route === undefined) {
      this.#watched.delete(name);
      this.#written.delete(name);
      return;
    }
    this.#watched.set(name, route);
    const own = this.#written.get(name)?.route;
    if (own === undefined) return;
    const order = compareVersions(route.resourceVersion, own.resourceVersion);
    if (own.uid !== route.uid || order === undefined || order >= 0) this.#written.delete(name);
  }

  standing(name: string): RouteStatus | undefined {
    return this.#standingRoute(name)?.status;
  }

  /** Routes that are gone are forgotten as the watch says so. */
  retain(): void {
    // Nothing is kept of routes but what the watch said.
  }

  async write(patches: readonly RoutePatch[]): Promise<void> {
    const batch: Batch = { failures: [], isGivenUp: false };
    const queue = patches.values();
    const workers = Math.min(MOST_AT_ONCE, patches.length);
    await Promise.all(Array.from({ length: workers }, () => this.#work(queue, batch)));
    const [first] = batch.failures;
    if (first !== undefined) throw new Error(`a status could not be written: ${first.message}`, { cause: first });
    if (!this.isActive) throw new Error("statuses were left to another replica");
  }

  async #work(queue: Iterable<RoutePatch>, batch: Batch): Promise<void> {
    for (const patch of queue) {
      if (!(await this.#turn()) || batch.isGivenUp) return;
      await this.#writeOne(patch, batch);
    }
  }

  async #writeOne(patch: RoutePatch, batch: Batch): Promise<void> {
    const { api, events, observer, now, wallMs } = this.#parts;
    const { route: name } = patch;
    const route = this.#standingRoute(name);
    if (route === undefined || (patch.uid !== undefined && patch.uid !== route.uid)) return;
    const time = `${new Date(wallMs()).toISOString().slice(0, 19)}Z`;
    try {
      const answer = readStanding(await api.request(statusRequest(patch, route, time)));
      this.#failuresInARow = 0;
      const isStillThere = answer !== undefined && this.#watched.get(name)?.uid === answer.uid;
      if (isStillThere) this.#written.set(name, { route: answer, untilMs: now() + OWN_WRITE_MS });
      observer.statusWritten("written");
      events.statusWritten({ name, uid: route.uid }, route.status, patch);
    } catch (error) {
      const refusal =
        error instanceof ApiError ? error : new ApiError({ status: 0, message: String(error), cause: error });
      if (OUTDATED.has(refusal.status)) return;
      observer.statusWritten("failed");
      batch.failures.push(refusal);
      this.#slowDown(refusal, batch);
    }
  }

  #slowDown({ status, retryAfterMs }: ApiError, batch: Batch): void {
    const { now, random } = this.#parts;
    const isAway = AWAY.has(status);
    if (isAway) batch.isGivenUp = true;
    if (!isAway && status !== 429) return;
    this.#failuresInARow += 1;
    const askedMs = Math.min(retryAfterMs ?? 0, LONGEST_ASKED_PAUSE_MS);
    const untilMs = now() + Math.max(askedMs, backOffMs(this.#failuresInARow, random));
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }

  /** Resolves when the next write may go: false = none may any more. */
  async #turn(): Promise<boolean> {
    const { now, after } = this.#parts;
    while (this.isActive) {
      const waitMs = Math.max(this.#pausedUntilMs - now(), this.#bucket.waitMs());
      if (waitMs <= 0 && this.#bucket.take()) return true;
      await pause(Math.ceil(waitMs), after, this.#term.signal);
    }
    return false;
  }

  /** What stands now: the own write, until the watch is as far. */
  #standingRoute(name: string): StandingRoute | undefined {
    const own = this.#written.get(name);
    if (own !== undefined && own.untilMs > this.#parts.now()) return own.route;
    this.#written.delete(name);
    return this.#watched.get(name);
  }
}
