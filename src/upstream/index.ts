/**
 * upstream: the live backends and who gets the next tunnel.
 * In: lists of endpoints by upstream, rules that ask for a backend, and verdicts of probes. Out: leases and counts.
 * Imports routing and node:crypto. Outlives every table; does no I/O, never closes a tunnel.
 */
export { backendId } from "./backend-state.ts";
export type { AffinityKeys } from "./affinity-book.ts";
export { isAffinityValue } from "./affinity-values.ts";
export { wordFor } from "./backend-word.ts";
export { EARLY_MS } from "./ejections.ts";
export type { ProbeVerdicts } from "./probe-verdicts.ts";
export { UpstreamRegistry, type UpstreamRegistryOptions } from "./registry.ts";
export type { Departure, Standing } from "./standing.ts";
export type * from "./types.ts";
