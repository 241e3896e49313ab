/**
 * drain: takes tunnels off a backend, or off the process, one after the other.
 * In: which backends leave, what the rules say of it, what an operator orders. Out: tunnels told to close, at a pace.
 * May import relay, upstream and routing by their doors. Time, timers and randomness are parameters.
 * Must never: choose a backend; write a frame; log or count by itself; close a tunnel that no rule and no order names.
 */
export {
  OrderedDrains,
  type OrderedDrainsOptions,
  type Orders,
  PROCESS_DRAIN,
  type ProcessOrders,
} from "./ordered-drains.ts";
export type { PacerSurroundings } from "./pacer.ts";
export { type FollowedRule, RuleDrains, type RuleDrainsOptions } from "./rule-drains.ts";
export type * from "./types.ts";
