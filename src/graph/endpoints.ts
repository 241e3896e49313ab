import { type Endpoint, parseUpstreamKey, type UpstreamKey } from "../routing/index.ts";
import { type GraphCache, newGraphCache, remembered } from "./cache.ts";
import { compareText } from "./precedence.ts";
import { findPort, readService, type ServiceFacts, type ServicePort } from "./service-facts.ts";
import { readSlice, type SliceFacts } from "./slice-facts.ts";
import type { ClusterSnapshot } from "./types.ts";

/**
 * The endpoints of an upstream: all slices of its Service together, each address and port once, in order of address,
 * port and Pod. Ready or not, all of them: who takes new tunnels is the proxy's to say. Empty when the Service or its
 * port does not exist. Pure; with a cache, a slice that did not change is not read again.
 */
export function resolveEndpoints(
  snapshot: ClusterSnapshot,
  upstream: UpstreamKey,
  cache: GraphCache = newGraphCache(),
): readonly Endpoint[] {
  const { namespace, service: serviceName, port } = parseUpstreamKey(upstream);
  const name = `${namespace}/${serviceName}`;
  const object = snapshot.list("Service").get(name);
  if (object === undefined) return [];
  const service = remembered(cache.services, object, () => readService(object));
  const servicePort = findPort(service, port);
  if (servicePort === undefined) return [];
  const found = new Map<string, Endpoint>();
  for (const sliceObject of snapshot.slicesOf(name)) {
    const slice = remembered(cache.slices, sliceObject, () => readSlice(sliceObject));
    if (!isOfFamily(slice, service)) continue;
    for (const endpoint of endpointsAt(slice, portIn(slice, service, servicePort))) {
      const id = `${endpoint.podUid ?? ""}|${endpoint.address}|${endpoint.port}`;
      const known = found.get(id);
      if (known === undefined || fitness(endpoint) > fitness(known)) found.set(id, endpoint);
    }
  }
  return [...found.values()].sort(compareEndpoints);
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

function endpointsAt(slice: SliceFacts, port: number | undefined): readonly Endpoint[] {
  return port === undefined ? [] : slice.endpoints.map((endpoint) => ({ ...endpoint, port }));
}

/** While a Pod moves from one slice to another it may stand in both; the copy that serves more is the newer one. */
function fitness({ ready, serving, terminating }: Endpoint): number {
  return (ready ? 4 : 0) + (serving ? 2 : 0) + (terminating ? 0 : 1);
}

function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return compareText(a.address, b.address) || a.port - b.port || compareText(a.podUid ?? "", b.podUid ?? "");
}
