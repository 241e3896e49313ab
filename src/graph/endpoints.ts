import { type Endpoint, parseUpstreamKey, type UpstreamKey } from "../routing/index.ts";
import { type GraphCache, newGraphCache } from "./cache.ts";
import { compareText } from "./precedence.ts";
import { remembered } from "./remembered.ts";
import { findPort, readService, type ServiceFacts, type ServicePort } from "./service-facts.ts";
import { readSlice, type SliceFacts } from "./slice-facts.ts";
import type { ClusterSnapshot, GraphOptions } from "./types.ts";

/**
 * The endpoints of an upstream: all slices of its Service together, each address and port once, in order of address,
 * port and Pod. Ready or not, all of them: who takes new tunnels is the proxy's to say. Empty when the Service or its
 * port does not exist, and for an ExternalName that is refused, whoever wrote slices for it. Pure; with a cache, a slice
 * that did not change is not read again.
 */
export function resolveEndpoints(
  snapshot: ClusterSnapshot,
  upstream: UpstreamKey,
  options: Pick<GraphOptions, "externalNames">,
  cache: GraphCache = newGraphCache(),
): readonly Endpoint[] {
  const { namespace, service: serviceName, port } = parseUpstreamKey(upstream);
  const name = `${namespace}/${serviceName}`;
  const object = snapshot.list("Service").get(name);
  if (object === undefined) return [];
  const service = remembered(cache.services, object, () => readService(object));
  if (service.isExternalName && options.externalNames === "Refuse") return [];
  const servicePort = findPort(service, port);
  if (servicePort === undefined) return [];
  const found = new Map<string, Endpoint>();
  for (const sliceObject of snapshot.slicesOf(name)) {
    const slice = remembered(cache.slices, sliceObject, () => readSlice(sliceObject));
    if (!isOfFamily(slice, service)) continue;
    for (const endpoint of endpointsAt(slice, service, portIn(slice, service, servicePort))) {
      const id = `${endpoint.podUid ?? ""}|${endpoint.address}|${endpoint.port}`;
      const known = found.get(id);
      if (known === undefined || fitness(endpoint) > fitness(known)) found.set(id, endpoint);
    }
  }
  return wholeHints([...found.values()].sort(compareEndpoints));
}

/** Names are for DNS, not for dialling; of a Service with two families only the first is used, lest Pods count twice. */
function isOfFamily(slice: SliceFacts, service: ServiceFacts): boolean {
  if (slice.addressType !== "IPv4" && slice.addressType !== "IPv6") return false;
  return service.family === undefined || service.family === slice.addressType;
}

/** Where the slice's endpoints listen for that port of the Service; undefined = they do not. */
function portIn(slice: SliceFacts, service: ServiceFacts, servicePort: ServicePort): number | undefined {
  if (service.ports.length === 0) return servicePort.port;
  const found = slice.ports.find(({ name }) => name === servicePort.name);
  if (found !== undefined) return found.port ?? servicePort.targetPort ?? servicePort.port;
  // Whoever resolved the name knows addresses only.
  return service.isExternalName ? servicePort.port : undefined;
}

/** A Service that publishes Pods which are not ready has them used; one that is terminating drains all the same. */
function endpointsAt(
  slice: SliceFacts,
  { publishesNotReady }: ServiceFacts,
  port: number | undefined,
): readonly Endpoint[] {
  if (port === undefined) return [];
  return slice.endpoints.map((endpoint) => ({ ...endpoint, port, ready: endpoint.ready || publishesNotReady }));
}

/**
 * Hints only help when every endpoint that takes tunnels has them: as kube-proxy does, they are passed over when one is
 * missing (topology aware routing, while the hints of a growing Service are still being written).
 */
function wholeHints(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  if (endpoints.every(({ zones }) => zones === undefined)) return endpoints;
  if (endpoints.every(({ ready, zones }) => !ready || zones !== undefined)) return endpoints;
  return endpoints.map((endpoint) => ({ ...endpoint, zones: undefined }));
}

/** While a Pod moves from one slice to another it may stand in both; the copy that serves more is the newer one. */
function fitness({ ready, serving, terminating }: Endpoint): number {
  return (ready ? 4 : 0) + (serving ? 2 : 0) + (terminating ? 0 : 1);
}

function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return compareText(a.address, b.address) || a.port - b.port || compareText(a.podUid ?? "", b.podUid ?? "");
}
