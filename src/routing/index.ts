/**
 * routing: the compiled, frozen table and the match.
 * In: deltas by host. Out: for the facts of a request, the entry that serves it.
 * Imports nothing. Knows neither Kubernetes nor sockets, does no I/O.
 */
export { hash32, mix32 } from "./hash.ts";
export { parseUpstreamKey, ruleId, upstreamKey, type UpstreamParts } from "./keys.ts";
export { canonicalPrefix } from "./path.ts";
export { readQuery } from "./request-view.ts";
export { buildTable } from "./table.ts";
export { TableHolder, type CommitListener } from "./table-holder.ts";
export type * from "./types.ts";
