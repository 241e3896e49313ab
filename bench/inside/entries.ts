import { type CompiledEntry, type CompiledMatch, ruleId, upstreamKey } from "../../src/routing/index.ts";
import { QUIET_POLICY } from "../../src/routing/rule-policy.fixture.ts";

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
        ...QUIET_POLICY,
        idleMs: 3_600_000,
        pingMs: 30_000,
        balancing: { algorithm: "LeastTunnels" },
        ...policy,
      },
    },
  };
}
