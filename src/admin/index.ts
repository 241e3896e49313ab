/**
 * admin: health, readiness and metrics, on a port of their own; and, for operators on this machine, what is going on and
 * what they want done.
 * In: functions that answer, operations that act. Out: small HTTP answers. Imports node:http, node:net and node:fs, zod,
 * and of api the durations.
 * Must never show to other machines more than a metrics scraper may see, nor let them or a web page change anything; never
 * act by itself: `Operations` does.
 */
export { AdminServer, type AdminOptions, type AdminAddress } from "./admin-server.ts";
export { type Fault, type FaultCode } from "./fault.ts";
export type * from "./operations.ts";
export type { DrainDefaults } from "./orders.ts";
export { mapPage, type Order, pageOf } from "./page.ts";
export { byAge, byName, compareNames } from "./places.ts";
export { SocketFileError } from "./socket-file.ts";
export { filterInWords, type TunnelFacts, tunnelTest, type TunnelTest, type TunnelTimes } from "./tunnel-filter.ts";
