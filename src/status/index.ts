/**
 * status: what is to be written on the users' routes.
 * In: a graph, the statuses as they stand, and the numbers of backends. Out: the statuses that differ, and why.
 * Imports api and graph. Does no I/O, keeps no state, knows no clock: `lastTransitionTime` belongs to whoever writes.
 */
export {
  type BackendCounts,
  type DifferenceCause,
  differenceOf,
  diffStatus,
  isWell,
  type RoutePatch,
  type RouteStatus,
  type StatusDifference,
} from "./diff.ts";
