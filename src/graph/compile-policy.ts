import { durationMs, type RouteRule } from "../api/index.ts";
import {
  type ActiveHealth,
  type AdmissionPolicy,
  type AffinityPolicy,
  type Balancing,
  type DrainPolicy,
  hash32,
  type HealthPolicy,
  type RuleId,
  type RulePolicy,
} from "../routing/index.ts";

/** How requests and tunnels of a rule are treated, with every default in its place and off as 0. */
export function compilePolicy(rule: RouteRule, id: RuleId): RulePolicy {
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
    slowStartMs: durationMs(loadBalancing.slowStart),
    affinity: compileAffinity(rule.affinity, id),
    health: compileHealth(rule.health),
    retry: { on: rule.retry.reasons, attempts: rule.retry.attempts, budgetPercent: rule.retry.budgetPercent },
    admission: compileAdmission(rule.admission),
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

function compileAffinity(affinity: RouteRule["affinity"], id: RuleId): AffinityPolicy | undefined {
  if (affinity === undefined) return undefined;
  const { name, ttl, path, sameSite, secure } = affinity.cookie;
  return {
    // Two rules of one host whose cookies had one name would take each other's away.
    cookieName: name ?? `holdfast-${hash32(id).toString(16).padStart(8, "0")}`,
    ttlMs: ttl === undefined ? 0 : durationMs(ttl),
    path,
    sameSite,
    isSecure: secure,
  };
}

function compileHealth({ panicPercent, passive, active }: RouteRule["health"]): HealthPolicy {
  return {
    panicPercent,
    passive: {
      signs: passive.signs,
      failures: passive.failures,
      ejectMs: durationMs(passive.ejectFor),
      longestEjectMs: durationMs(passive.ejectForAtMost),
      maxEjectedPercent: passive.maxEjectedPercent,
    },
    active: active === undefined ? undefined : compileProbe(active),
  };
}

function compileProbe(active: NonNullable<RouteRule["health"]["active"]>): ActiveHealth {
  const { type, path = "/", host, port = 0, interval, timeout, unhealthyAfter, healthyAfter } = active;
  const asked = { type, path, host, port, intervalMs: durationMs(interval), timeoutMs: durationMs(timeout) };
  const probe = { ...asked, unhealthyAfter, healthyAfter };
  return { ...probe, key: JSON.stringify(Object.values(probe)) };
}

function compileAdmission(admission: RouteRule["admission"]): AdmissionPolicy {
  const { maxTunnels, maxTunnelsPerBackend, handshakesPerSecond, queue, holdUntilReady } = admission;
  return {
    maxTunnels: maxTunnels ?? 0,
    maxTunnelsPerBackend: maxTunnelsPerBackend ?? 0,
    handshakesPerSecond: handshakesPerSecond ?? 0,
    queueSize: queue?.size ?? 0,
    queueMs: queue === undefined ? 0 : durationMs(queue.timeout),
    holdSize: holdUntilReady?.size ?? 0,
    holdMs: holdUntilReady === undefined ? 0 : durationMs(holdUntilReady.timeout),
  };
}
