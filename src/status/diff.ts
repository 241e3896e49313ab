import type { Condition, NamespacedName, RouteNode } from "../graph/index.ts";

/** Backends behind a route. */
export interface BackendCounts {
  /** Those that take new tunnels. */
  readonly ready: number;
  /** Those that are going away and keep their old ones. */
  readonly draining: number;
}

/** What stands in a route's status, or is to stand there. */
export interface RouteStatus {
  /** The generation of the route that the conditions speak of (`observedGeneration`). */
  readonly generation: number;
  readonly conditions: readonly Condition[];
  /** undefined = nobody counted. */
  readonly backends?: BackendCounts | undefined;
}

/** A status that is to be written. */
export interface RoutePatch extends RouteStatus {
  readonly route: NamespacedName;
  /** Of the object that was read, where it is known: one of the same name that came later is another. */
  readonly uid?: string | undefined;
}

/**
 * Why a status differs, the weightiest reason: `Unsaid`: nothing was said of this generation yet. `Conditions`: it says
 * something else. `Serving`: the number of ready backends became or left zero, or none stands. `Counts`: only how many.
 */
export type DifferenceCause = "Unsaid" | "Conditions" | "Serving" | "Counts";

export interface StatusDifference extends RoutePatch {
  readonly cause: DifferenceCause;
}

/** A route of the graph as far as its status goes. */
type StatedRoute = Pick<RouteNode, "generation" | "conditions" | "upstreams"> & Pick<RoutePatch, "uid">;

/**
 * The statuses that differ from what stands, in order of the routes' names. Conditions compare by what they say, in any
 * order. What stands about a newer generation stays: this build has not seen that edit yet. Without `countOf` nobody
 * counts, and counts that stand are no difference.
 */
export function diffStatus(
  graph: { readonly routes: ReadonlyMap<NamespacedName, StatedRoute> },
  standing: (route: NamespacedName) => RouteStatus | undefined,
  countOf?: (upstreams: RouteNode["upstreams"]) => BackendCounts,
): readonly StatusDifference[] {
  const differences: StatusDifference[] = [];
  for (const [route, { generation, conditions, upstreams, uid }] of graph.routes) {
    const before = standing(route);
    const backends = countOf?.(upstreams);
    const cause = differenceOf(before, { generation, conditions, backends });
    if (cause !== undefined) differences.push({ route, uid, generation, conditions, backends, cause });
  }
  return differences.sort((a, b) => (a.route < b.route ? -1 : 1));
}

/** It holds, and there is nothing more to say about it. */
export function isWell({ status, message }: Condition): boolean {
  return status === "True" && message === "";
}

/** Why `after` is to be written where `before` stands; undefined = it is not. */
export function differenceOf(before: RouteStatus | undefined, after: RouteStatus): DifferenceCause | undefined {
  if (before === undefined || before.generation < after.generation) return "Unsaid";
  if (before.generation > after.generation) return undefined;
  if (!isSameSaid(before.conditions, after.conditions)) return "Conditions";
  return after.backends === undefined ? undefined : countCause(before.backends, after.backends);
}

function countCause(before: BackendCounts | undefined, after: BackendCounts): DifferenceCause | undefined {
  if (before === undefined || (before.ready === 0) !== (after.ready === 0)) return "Serving";
  return before.ready === after.ready && before.draining === after.draining ? undefined : "Counts";
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
