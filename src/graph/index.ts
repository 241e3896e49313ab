/**
 * graph: what the source's objects mean.
 * In: one ClusterSnapshot. Out: every route of our class with its conditions, the table compiled from them, what
 * changed between two tables, and the endpoints of an upstream.
 * Imports api and routing. Does no I/O, keeps no state (the cache is its owner's), never throws on what a user wrote.
 */
export { buildRouteGraph, upstreamsOfService } from "./build.ts";
export { type GraphCache, newGraphCache } from "./cache.ts";
export { changedRoutes, diffHosts } from "./diff.ts";
export { resolveEndpoints } from "./endpoints.ts";
export { readAhead } from "./read-ahead.ts";
export type * from "./types.ts";
