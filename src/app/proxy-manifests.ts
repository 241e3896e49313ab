import { isIP } from "node:net";
import { API_GROUP, API_VERSION, ROUTE_KIND, SERVICE_NAME_LABEL } from "../api/index.ts";
import type { ProxyTarget, SourceConfig } from "./config.ts";

/** An object as it would stand in a file of a folder. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

interface BackendRef {
  readonly name: string;
  readonly port: number;
  readonly weight: number;
}

const NAMESPACE = "default";
const SERVICE = "backends";
const SERVICE_PORT = 80;

/**
 * What `holdfast proxy` means, as manifests, so that it takes the same road as a folder: one Service with
 * EndpointSlices for all addresses, an ExternalName Service for each name, one route. Every `--to` gets the same share.
 */
export function proxyManifests(source: Extract<SourceConfig, { kind: "proxy" }>): readonly Manifest[] {
  const addresses = source.to.filter(({ host }) => isIP(host) !== 0);
  const names = source.to.filter(({ host }) => isIP(host) === 0);
  const refs: BackendRef[] = names.map(({ port }, i) => ({ name: nameOf(i), port, weight: 1 }));
  if (addresses.length > 0) refs.unshift({ name: SERVICE, port: SERVICE_PORT, weight: addresses.length });
  return [
    route(source, refs),
    ...(addresses.length > 0 ? [service(), ...addresses.map(slice)] : []),
    ...names.map(({ host }, i) => externalName(nameOf(i), host)),
  ];
}

function nameOf(index: number): string {
  return `name-${index + 1}`;
}

function route(
  { path, rewrite }: { readonly path: string; readonly rewrite: string | undefined },
  backendRefs: readonly BackendRef[],
): Manifest {
  const rule = {
    name: "all",
    matches: [{ path: { type: "PathPrefix", value: path } }],
    backendRefs,
    // What is typed by hand is watched: one after the other is what people expect to see.
    loadBalancing: { algorithm: "RoundRobin" },
    ...(rewrite === undefined ? {} : { rewrite: { path: { type: "ReplacePrefixMatch", value: rewrite } } }),
  };
  return {
    apiVersion: `${API_GROUP}/${API_VERSION}`,
    kind: ROUTE_KIND,
    metadata: { name: "proxy", namespace: NAMESPACE },
    spec: { rules: [rule] },
  };
}

function service(): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: SERVICE, namespace: NAMESPACE },
    spec: { ports: [{ name: "ws", port: SERVICE_PORT }] },
  };
}

/** One slice for each target: the endpoints of a slice share its ports. */
function slice({ host, port }: ProxyTarget, index: number): Manifest {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${SERVICE}-${index + 1}`,
      namespace: NAMESPACE,
      labels: { [SERVICE_NAME_LABEL]: SERVICE },
    },
    addressType: isIP(host) === 6 ? "IPv6" : "IPv4",
    ports: [{ name: "ws", port }],
    endpoints: [{ addresses: [host] }],
  };
}

function externalName(name: string, host: string): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: NAMESPACE },
    spec: { type: "ExternalName", externalName: host },
  };
}
