/**
 * status: what is to be written on the users' routes.
 * In: a graph and the statuses as they stand. Out: those that differ.
 * Imports api and graph. Does no I/O, keeps no state, knows no clock: `lastTransitionTime` belongs to whoever writes.
 */
export { diffStatus, type RoutePatch, type RouteStatus } from "./diff.ts";
