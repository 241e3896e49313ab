/**
 * proxy: the listener, and what becomes of a request: refused, forwarded or joined to a backend as a tunnel.
 * In: connections of clients, the table, a balancer, what rules take on, a relay. Out: answers, leases taken and given back, events.
 * May import routing, upstream, relay and admission by their doors, undici, and node's http, net, crypto, stream and url.
 * Must never: know Kubernetes; log or count by itself; retry after the 101, or otherwise than the rule says;
 * end a connection without an answer before the 101.
 */
export { ANSWERS, type Answer, answerOf, type ProxyErrorCode } from "./answers.ts";
export { DEFAULT_LIMITS, type ProxyLimits } from "./data-path.ts";
export type { Bounds } from "./bounds.ts";
export { createDecider, type DeciderOptions, type SyncDecider } from "./decide.ts";
export { errorReference } from "./error-reference.ts";
export {
  type ForbiddenCheck,
  forbiddenTargets,
  type ForbiddenTargetsOptions,
  type OwnListener,
} from "./forbidden-targets.ts";
export { ProxyServer, type ProxyServerOptions } from "./server.ts";
export type * from "./types.ts";
