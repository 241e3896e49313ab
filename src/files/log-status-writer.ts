import type { Log, StatusWriter } from "../controller/index.ts";
import { isWell, type RoutePatch, type RouteStatus } from "../status/index.ts";

type Condition = RouteStatus["conditions"][number];

/** Says in the log what a cluster would show in a route's status: what is not True, and when it is again. */
export class LogStatusWriter implements StatusWriter {
  /** A folder is served by one process alone. */
  readonly isActive = true;
  readonly #log: Log;
  readonly #standing = new Map<string, RouteStatus>();

  constructor(log: Log) {
    this.#log = log;
  }

  standing(route: string): RouteStatus | undefined {
    return this.#standing.get(route);
  }

  /** Counts stand from then on, and are not said. */
  write(patches: readonly RoutePatch[]): Promise<void> {
    for (const patch of patches) {
      const before = this.#standing.get(patch.route)?.conditions ?? [];
      this.#standing.set(patch.route, patch);
      for (const condition of patch.conditions) {
        this.#say(
          patch.route,
          before.find(({ type }) => type === condition.type),
          condition,
        );
      }
    }
    return Promise.resolve();
  }

  retain(routes: ReadonlyMap<string, unknown>): void {
    if (this.#standing.size <= routes.size) return;
    for (const route of this.#standing.keys()) if (!routes.has(route)) this.#standing.delete(route);
  }

  onActive(): void {
    // It always is.
  }

  #say(route: string, before: Condition | undefined, after: Condition): void {
    const { type, status, reason, message } = after;
    if (isWell(after)) {
      const isNews = before !== undefined && !isWell(before);
      if (isNews) this.#log.info({ route, type, reason }, "route condition is met again");
      return;
    }
    if (before?.status === status && before.reason === reason && before.message === message) return;
    const words = status === "True" ? "route condition is met in part" : "route condition is not met";
    this.#log.warn({ route, type, status, reason, message }, words);
  }
}
