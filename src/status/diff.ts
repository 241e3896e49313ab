import type { Condition, NamespacedName, RouteGraph } from "../graph/index.ts";

/** What stands in a route's status, or is to stand there. */
export interface RouteStatus {
  /** The generation of the route that the conditions speak of (`observedGeneration`). */
  readonly generation: number;
  readonly conditions: readonly Condition[];
}

/** A status that is to be written. */
export interface RoutePatch extends RouteStatus {
  readonly route: NamespacedName;
}

/**
 * The statuses that differ from what was written, in order of the routes' names. Conditions compare by what they say,
 * in any order. What was written about a newer generation stays: this build has not seen that edit yet.
 */
export function diffStatus(
  graph: Pick<RouteGraph, "routes">,
  written: ReadonlyMap<NamespacedName, RouteStatus>,
): readonly RoutePatch[] {
  const patches: RoutePatch[] = [];
  for (const [route, { generation, conditions }] of graph.routes) {
    const before = written.get(route);
    if (before !== undefined) {
      if (before.generation > generation) continue;
      if (before.generation === generation && isSameSaid(before.conditions, conditions)) continue;
    }
    patches.push({ route, generation, conditions });
  }
  return patches.sort((a, b) => (a.route < b.route ? -1 : 1));
}

function isSameSaid(before: readonly Condition[], after: readonly Condition[]): boolean {
  return (
    before.length === after.length &&
    after.every((condition) => {
      const old = before.find(({ type }) => type === condition.type);
      return (
        old !== undefined &&
        old.status === condition.status &&
        old.reason === condition.reason &&
        old.message === condition.message
      );
    })
  );
}
