import { durationMs, type HeaderEdits as WrittenEdits, type RouteMatch, type RouteRule } from "../api/index.ts";
import {
  type Balancing,
  canonicalPrefix,
  type CompiledMatch,
  type CompiledPath,
  type CompiledRule,
  type DrainPolicy,
  type HeaderEdits,
  type RulePolicy,
  ruleId,
  type UpstreamKey,
} from "../routing/index.ts";
import type { NamespacedName } from "./types.ts";

/** Where a rule stands, and the upstreams its backendRefs name, in their order. */
export interface RulePlace {
  readonly route: NamespacedName;
  readonly index: number;
  readonly upstreams: readonly UpstreamKey[];
}

/** What the data thread has to know of a rule; a Service that does not exist changes nothing here. */
export function compileRule(rule: RouteRule, { route, index, upstreams }: RulePlace): CompiledRule {
  const name = rule.name ?? `${index}`;
  const { rewrite } = rule;
  return {
    id: ruleId(route, name),
    route,
    rule: name,
    backends: upstreams.map((upstream, i) => ({ upstream, weight: rule.backendRefs[i]?.weight ?? 1 })),
    rewrite: rewrite === undefined ? undefined : { path: rewrite.path, host: rewrite.host },
    requestHeaders: compileEdits(rule.requestHeaders),
    responseHeaders: compileEdits(rule.responseHeaders),
    policy: compilePolicy(rule),
  };
}

/** One alternative as the table compares it. */
export function compileMatch({ path, headers = [], queryParams = [], subprotocols = [] }: RouteMatch): CompiledMatch {
  return {
    path: compilePath(path),
    headers: headers.map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    queryParams,
    subprotocols,
  };
}

function compilePath({ type, value }: RouteMatch["path"]): CompiledPath {
  return { type, value: type === "PathPrefix" ? canonicalPrefix(value) : value };
}

/** Edits that change nothing are none: they must cost nothing on the way of a request. */
function compileEdits(edits: WrittenEdits | undefined): HeaderEdits | undefined {
  const { set = [], add = [], remove = [] } = edits ?? {};
  return set.length + add.length + remove.length === 0 ? undefined : { set, add, remove };
}

function compilePolicy(rule: RouteRule): RulePolicy {
  const { plainHTTP, timeouts, lifetime, keepalive, frames, drain, loadBalancing } = rule;
  return {
    plainHTTP,
    handshakeMs: durationMs(timeouts.handshake),
    responseHeadersMs: durationMs(timeouts.responseHeaders),
    requestMs: durationMs(timeouts.request),
    idleMs: durationMs(timeouts.idle),
    lifetimeMs: lifetime === undefined ? 0 : durationMs(lifetime.max),
    lifetimeJitterPercent: lifetime === undefined ? 0 : lifetime.jitterPercent,
    pingMs: durationMs(keepalive.ping),
    backendPingMs: durationMs(keepalive.backendPing),
    pongTimeoutMs: durationMs(keepalive.timeout),
    strictness: frames.strictness,
    maxMessageBytes: frames.maxMessageBytes ?? 0,
    maxFragments: frames.maxFragments ?? 0,
    messagesPerSecond: frames.messagesPerSecond ?? 0,
    bytesPerSecond: frames.bytesPerSecond ?? 0,
    controlFramesPerSecond: frames.controlFramesPerSecond ?? 0,
    onLimit: frames.onLimit,
    drain: compileDrain(drain),
    balancing: compileBalancing(loadBalancing),
  };
}

function compileDrain(drain: RouteRule["drain"]): DrainPolicy {
  return {
    onBackendRemoval: drain.onBackendRemoval,
    onUnready: drain.onUnready,
    onZeroWeight: drain.onZeroWeight,
    withinMs: durationMs(drain.within),
    perSecond: drain.perSecond ?? 0,
    closeCode: drain.close.code,
    closeReason: drain.close.reason ?? "",
  };
}

function compileBalancing({ algorithm, hashOn }: RouteRule["loadBalancing"]): Balancing {
  if (algorithm !== "ConsistentHash") return { algorithm };
  const { type, name } = hashOn ?? { type: "ClientIP" };
  // The schema lets no other than ClientIP be without a name.
  if (type === "ClientIP" || name === undefined) return { algorithm, hashOn: { type: "ClientIP" } };
  return { algorithm, hashOn: { type, name: type === "Header" ? name.toLowerCase() : name } };
}
