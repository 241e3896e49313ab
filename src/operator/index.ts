/**
 * operator: the commands that look at a running Holdfast and act on it.
 * In: an order, as the command line says it. Out: requests to the operator's paths of one replica, tables or JSON, words
 * and an exit code. Imports node:http, stream and timers, and zod; knows the operator's paths from their documents, not
 * from admin, whose process may be of another version.
 * Must never: act on anything but the replica that it was pointed at; throw on what that answers.
 */
export { type OperateOptions, operate } from "./operate.ts";
export type * from "./types.ts";
