/**
 * routing: the compiled, frozen table and the match.
 * In: deltas by host. Out: for the facts of a request, the entry that serves it.
 * Imports nothing. Knows neither Kubernetes nor sockets, does no I/O.
 */
export type * from "./types.ts";
