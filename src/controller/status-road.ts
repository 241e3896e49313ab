import { changedRoutes, type NamespacedName, type RouteGraph, type RouteNode } from "../graph/index.ts";
import { type BackendCounts, differenceOf, diffStatus, type StatusDifference } from "../status/index.ts";
import { CountPace } from "./count-pace.ts";
import type { After, Log, StatusWriter } from "./types.ts";

export interface StatusRoadParts {
  readonly writer: StatusWriter;
  /** How many backends there are behind these upstreams now. */
  readonly countOf: (upstreams: RouteNode["upstreams"]) => BackendCounts;
  readonly log: Log;
  readonly after: After;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}

/** A route whose status could not be written. */
interface Failure {
  readonly failures: number;
  readonly untilMs: number;
  /** Of the route; a user's edit gets a new try at once. */
  readonly generation: number;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
/** What comes in bursts (counts, statuses as they come back from the cluster) is looked at together. */
const SOON_MS = 500;
/** All is compared now and then though nothing happened: what was overlooked is put right some time. */
const SLOW_LOOK_MS = 15_000;
/** Whose statuses a look compares: all, or of those only that the graph says something else of than before. */
type Look = "All" | "Changed";

/** In one write, so that what is new need not wait for thousands of others. */
const MOST_A_WRITE = 100;

/**
 * Makes the statuses say what the newest graph and the endpoints mean, one write at a time and beside the loop: a slow
 * writer holds up no table. After a build the routes are looked at that it changed; every other look, and there is one
 * soon, compares everything with what stands, so it does not matter what was missed, who wrote what stands, or how long
 * another replica was the one to write. Conditions go at once, counts at a pace of their own; a route whose status
 * cannot be written waits for itself only. While the writer is not active nothing is compared, and nothing is kept but
 * the newest graph.
 */
export class StatusRoad {
  readonly #parts: StatusRoadParts;
  readonly #pace: CountPace;
  readonly #failed = new Map<NamespacedName, Failure>();
  #graph: RouteGraph | undefined;
  #isWriting = false;
  #due: Look | undefined;
  /** Routes that the graph says something else of than when they were looked at. */
  readonly #changed = new Set<NamespacedName>();
  #isStopped = false;
  #lookAtMs = Infinity;
  #cancelLook: (() => void) | undefined;

  constructor(parts: StatusRoadParts) {
    this.#parts = parts;
    this.#pace = new CountPace(parts.now);
    parts.writer.onActive(() => {
      this.#failed.clear();
      this.#look("All");
    });
  }

  /** After each build. */
  publish(graph: RouteGraph): void {
    if (this.#isStopped) return;
    const before = this.#graph;
    this.#graph = graph;
    const { writer } = this.#parts;
    writer.retain(graph.routes);
    if (before === undefined) return this.#look("All");
    if (!writer.isActive) return;
    for (const route of changedRoutes(before.routes, graph.routes)) this.#changed.add(route);
    if (this.#changed.size > 0) this.#look("Changed");
  }

  /** Counts, or what stands, may have changed. */
  lookSoon(): void {
    if (this.#graph !== undefined && this.#parts.writer.isActive) this.#lookWithin(SOON_MS);
  }

  /** A write under way is left alone; none begins any more. */
  stop(): void {
    this.#isStopped = true;
    this.#graph = undefined;
    this.#changed.clear();
    this.#forgetLook();
  }

  #look(look: Look): void {
    if (this.#due !== "All") this.#due = look;
    if (!this.#isWriting) void this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#due !== undefined) {
      const look = this.#due;
      this.#due = undefined;
      if (look === "All") this.#forgetLook();
      try {
        await this.#round(look);
      } catch (error) {
        this.#parts.log.error({ err: error }, "statuses could not be compared; they will be looked at again");
        this.#lookWithin(SLOW_LOOK_MS);
      }
    }
    this.#isWriting = false;
  }

  async #round(look: Look): Promise<void> {
    const { writer, countOf, now } = this.#parts;
    const routes = this.#takeRoutes(look);
    if (routes === undefined) return;
    const differences = diffStatus({ routes }, (route) => writer.standing(route), countOf);
    const writable = this.#notFailedLately(differences, routes);
    const said = writable.filter(({ cause }) => cause === "Unsaid" || cause === "Conditions");
    // Whoever just wrote or edited a route waits for its first word; others have one already.
    said.sort((a, b) => Number(b.cause === "Unsaid") - Number(a.cause === "Unsaid"));
    const counted = writable.filter(({ cause }) => isOfCounts(cause));
    const areCountsInTurn = look === "All" && said.length === 0;
    const counts = this.#pace.take(areCountsInTurn ? counted : []);
    const areCountsLeft = counted.length > 0 && !areCountsInTurn;
    if (said.length > MOST_A_WRITE || (areCountsLeft && look === "All")) this.#due = "All";
    const patches = [...said.slice(0, MOST_A_WRITE), ...counts.due];
    if (patches.length > 0) await this.#write(patches);
    this.#lookWithin(areCountsLeft ? SOON_MS : Math.min(counts.againMs ?? SLOW_LOOK_MS, SLOW_LOOK_MS));
    for (const { untilMs } of this.#failed.values()) this.#lookWithin(Math.max(0, untilMs - now()));
  }

  /** The routes to look at, as the newest graph has them; they count as looked at. undefined = nothing is to be. */
  #takeRoutes(look: Look): RouteGraph["routes"] | undefined {
    const all = this.#graph?.routes;
    const changed = [...this.#changed];
    this.#changed.clear();
    if (all === undefined || !this.#parts.writer.isActive) return undefined;
    if (look === "All") return all;
    return new Map(
      changed.flatMap((route) => {
        const node = all.get(route);
        return node === undefined ? [] : [[route, node]];
      }),
    );
  }

  async #write(patches: readonly StatusDifference[]): Promise<void> {
    const { writer, log } = this.#parts;
    try {
      await writer.write(patches);
    } catch (error) {
      if (!writer.isActive) return;
      log.warn({ err: error }, "statuses could not be written; those that were not will be tried again");
    }
    for (const patch of patches) this.#noteOutcome(patch);
  }

  #noteOutcome(patch: StatusDifference): void {
    const { route, generation } = patch;
    const stands = differenceOf(this.#parts.writer.standing(route), patch) === undefined;
    const failures = this.#failed.get(route)?.failures ?? 0;
    this.#failed.delete(route);
    if (stands) return;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS);
    this.#failed.set(route, { failures: failures + 1, untilMs: this.#parts.now() + delayMs, generation });
  }

  #notFailedLately(
    differences: readonly StatusDifference[],
    routes: RouteGraph["routes"],
  ): readonly StatusDifference[] {
    if (this.#failed.size === 0) return differences;
    const differing = new Set(differences.map(({ route }) => route));
    const isOver = (route: NamespacedName): boolean =>
      routes.has(route) ? !differing.has(route) : this.#graph?.routes.has(route) !== true;
    for (const route of this.#failed.keys()) if (isOver(route)) this.#failed.delete(route);
    const nowMs = this.#parts.now();
    return differences.filter(({ route, generation }) => {
      const failure = this.#failed.get(route);
      return failure === undefined || failure.untilMs <= nowMs || failure.generation !== generation;
    });
  }

  /** Looks after `delayMs`, unless it is going to look earlier anyway. */
  #lookWithin(delayMs: number): void {
    const { now, after } = this.#parts;
    const atMs = now() + delayMs;
    if (this.#isStopped || atMs >= this.#lookAtMs) return;
    this.#forgetLook();
    this.#lookAtMs = atMs;
    this.#cancelLook = after(delayMs, () => {
      this.#lookAtMs = Infinity;
      this.#look("All");
    });
  }

  #forgetLook(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#lookAtMs = Infinity;
  }
}

function isOfCounts(cause: StatusDifference["cause"]): boolean {
  return cause === "Serving" || cause === "Counts";
}
