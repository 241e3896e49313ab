import type { HeaderEdits as WrittenEdits, RouteMatch, RouteRule } from "../api/index.ts";
import {
  canonicalPrefix,
  type CompiledMatch,
  type CompiledPath,
  type CompiledRule,
  type HeaderEdits,
  ruleId,
  type UpstreamKey,
} from "../routing/index.ts";
import { compilePolicy } from "./compile-policy.ts";
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
  const id = ruleId(route, name);
  return {
    id,
    route,
    rule: name,
    backends: upstreams.map((upstream, i) => ({ upstream, weight: rule.backendRefs[i]?.weight ?? 1 })),
    rewrite: rewrite === undefined ? undefined : { path: rewrite.path, host: rewrite.host },
    requestHeaders: compileEdits(rule.requestHeaders),
    responseHeaders: compileEdits(rule.responseHeaders),
    policy: compilePolicy(rule, id),
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
