import type { GraphOptions } from "../graph/index.ts";
import type { SourceRules } from "./config.ts";

/** What the graph is to serve, as the flags say it. */
export function graphOptions(rules: SourceRules): GraphOptions {
  const { source, ingressClass, anyHostNamespaces, allowExternalName, affinityKey } = rules;
  // Whoever may read some namespaces only may not read IngressClasses, which have none.
  const readsClasses = source.kind === "kubernetes" && source.namespaces.length === 0;
  return {
    ingressClassName: ingressClass,
    classless: readsClasses ? "ByIngressClass" : "Ours",
    anyHostNamespaces: anyHostNamespaces === "all" ? "all" : new Set(anyHostNamespaces),
    externalNames: allowExternalName ? "Follow" : "Refuse",
    affinity: affinityKey === undefined ? "Keyless" : "Keyed",
  };
}
