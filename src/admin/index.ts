/**
 * admin: health, readiness and metrics, on a port of their own.
 * In: functions that answer. Out: small HTTP answers. Imports only node:http.
 * Must never change anything, and never show more than a metrics scraper may see.
 */
export { AdminServer, type AdminOptions, type AdminAddress } from "./admin-server.ts";
