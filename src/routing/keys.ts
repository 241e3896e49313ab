import type { RuleId, UpstreamKey } from "./types.ts";

/** What an upstream's key is made of. */
export interface UpstreamParts {
  readonly namespace: string;
  readonly service: string;
  /** The number a backendRef names, 1 to 65535. */
  readonly port: number;
}

/** `namespace/service:port`; Kubernetes names hold neither `/` nor `:`, so no two upstreams share a key. */
export function upstreamKey(namespace: string, service: string, port: number): UpstreamKey {
  return `${namespace}/${service}:${port}` as UpstreamKey;
}

/** Takes a key of `upstreamKey` apart. Throws on any other string: only a cast of ours could bring one here. */
export function parseUpstreamKey(key: UpstreamKey): UpstreamParts {
  const slash = key.indexOf("/");
  const colon = key.lastIndexOf(":");
  const port = Number(key.slice(colon + 1));
  if (slash < 1 || colon < slash + 2 || !Number.isInteger(port)) throw new TypeError(`not an upstream key: ${key}`);
  return { namespace: key.slice(0, slash), service: key.slice(slash + 1, colon), port };
}

/** `namespace/route/ruleName`, from the route's `namespace/name` and the rule's name (or its index as text). */
export function ruleId(routeName: string, ruleName: string): RuleId {
  return `${routeName}/${ruleName}` as RuleId;
}
