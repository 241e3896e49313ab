import { parseAllDocuments } from "yaml";
import type { ClusterSnapshot, Kind } from "../../src/graph/index.ts";

interface Manifest {
  readonly kind: Kind;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
}

/** A snapshot of the manifests in one YAML text, as a source would give it. */
export function snapshotOf(yaml: string): ClusterSnapshot {
  const kinds = new Map<Kind, Map<string, Manifest>>();
  for (const document of parseAllDocuments(yaml)) {
    const object = document.toJS() as Manifest;
    const objects = kinds.get(object.kind) ?? new Map<string, Manifest>();
    kinds.set(object.kind, objects.set(nameOf(object), object));
  }
  return {
    list: (kind) => kinds.get(kind) ?? new Map(),
    slicesOf: (service) =>
      [...(kinds.get("EndpointSlice") ?? [])]
        .filter(([, { metadata }]) => serviceOf(metadata) === service)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, slice]) => slice),
  };
}

function nameOf({ kind, metadata }: Manifest): string {
  return kind === "IngressClass" ? `/${metadata.name}` : `${metadata.namespace ?? "default"}/${metadata.name}`;
}

function serviceOf({ namespace, labels }: Manifest["metadata"]): string {
  return `${namespace ?? "default"}/${labels?.["kubernetes.io/service-name"]}`;
}
