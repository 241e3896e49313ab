import { type EndpointSlice, parseEndpointSlice } from "../api/index.ts";

/** A TCP port of a slice. */
interface SlicePort {
  /** The name of the Service's port; "" when that has none. */
  readonly name: string;
  /** undefined = every port. */
  readonly port: number | undefined;
}

/** One address of a slice, its conditions as consumers are to read them. */
interface SliceEndpoint {
  readonly address: string;
  readonly podUid: string | undefined;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** `hints.forZones`; undefined = it has none. */
  readonly zones: readonly string[] | undefined;
}

/** What the graph wants to know of an EndpointSlice; a slice that cannot be understood has no endpoints. */
export interface SliceFacts {
  readonly addressType: string;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

/**
 * Reads an EndpointSlice as its API says (discovery.k8s.io/v1): `ready` not said = true, `serving` not said = as
 * `ready`, `terminating` not said = false. Kubernetes writes one address per endpoint and says that consumers need look
 * at the first only; manifests in a folder may list several, and there each of them is an endpoint. Never throws.
 */
export function readSlice(object: unknown): SliceFacts {
  const parsed = parseEndpointSlice(object);
  if (!parsed.ok) return { addressType: "", ports: [], endpoints: [] };
  const slice = parsed.value;
  const ports = (slice.ports ?? [])
    .filter(({ protocol }) => protocol === "TCP")
    .map(({ name, port }) => ({ name: name ?? "", port }));
  const endpoints = (slice.endpoints ?? []).flatMap(({ addresses, conditions, targetRef, hints }) => {
    const ready = conditions?.ready ?? true;
    const facts = {
      podUid: targetRef?.kind === "Pod" ? targetRef.uid : undefined,
      ready,
      serving: conditions?.serving ?? ready,
      terminating: conditions?.terminating ?? false,
      zones: zonesIn(hints),
    };
    return addresses.map((address) => ({ address, ...facts }));
  });
  return { addressType: slice.addressType, ports, endpoints };
}

type Hints = NonNullable<EndpointSlice["endpoints"]>[number]["hints"];

/** An empty list says nothing, as if there were none. */
function zonesIn(hints: Hints): readonly string[] | undefined {
  const zones = hints?.forZones?.map(({ name }) => name) ?? [];
  return zones.length === 0 ? undefined : zones;
}
