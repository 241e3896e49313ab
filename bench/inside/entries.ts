import { type CompiledEntry, type CompiledMatch, ruleId, upstreamKey } from "../../src/routing/index.ts";

export interface EntryOptions {
  /** The route's name; its only backend is a Service of that name. */
  readonly name: string;
  readonly match?: Partial<CompiledMatch>;
  /** Where the rule says something else than by default. */
  readonly policy?: Partial<CompiledEntry["rule"]["policy"]>;
}

/** One entry as the graph compiles it, with the defaults of a rule. */
export function entryOf({ name, match, policy }: EntryOptions): CompiledEntry {
  const route = `apps/${name}`;
  return {
    match: { path: { type: "PathPrefix", value: "/" }, headers: [], queryParams: [], subprotocols: [], ...match },
    rule: {
      id: ruleId(route, "main"),
      route,
      rule: "main",
      backends: [{ upstream: upstreamKey("apps", name, 80), weight: 1 }],
      rewrite: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      policy: {
        plainHTTP: "Forward",
        handshakeMs: 10_000,
        responseHeadersMs: 60_000,
        requestMs: 0,
        idleMs: 3_600_000,
        lifetimeMs: 0,
        lifetimeJitterPercent: 0,
        pingMs: 30_000,
        backendPingMs: 0,
        pongTimeoutMs: 20_000,
        strictness: "Observe",
        maxMessageBytes: 0,
        maxFragments: 0,
        messagesPerSecond: 0,
        bytesPerSecond: 0,
        controlFramesPerSecond: 0,
        onLimit: "Close",
        drain: {
          onBackendRemoval: "Keep",
          onUnready: "Keep",
          onZeroWeight: "Keep",
          withinMs: 25_000,
          perSecond: 0,
          closeCode: 1012,
          closeReason: "",
        },
        balancing: { algorithm: "LeastTunnels" },
        ...policy,
      },
    },
  };
}
