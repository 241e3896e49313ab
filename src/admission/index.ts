/**
 * admission: how many handshakes and tunnels each rule takes on, and who waits until it may go on.
 * In: handshakes that ask, rules that change, tunnels that end, backends that have room. Out: leases, or refusals with the time
 * after which to come back. Imports the types of routing and upstream, and relay for its timers and its token bucket.
 * Must never: hold anything for a rule that sets no limit; do much in one turn of the event loop; know a socket.
 */
export { isUnlimited } from "./limits.ts";
export { RuleAdmissions, type RuleAdmissionsOptions } from "./rule-admissions.ts";
export type * from "./types.ts";
