import { isIP } from "node:net";
import { type Service, SERVICE_NAME_LABEL } from "../api/index.ts";
import type { ClusterObject } from "../controller/index.ts";

/** As the EndpointSlice API bounds a slice. */
const MOST_ENDPOINTS = 1000;

/** Of an ExternalName Service: its host, and what else its slices are made of. */
export interface ExternalService {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly ports: readonly SlicePort[];
}

interface SlicePort {
  readonly name: string;
  readonly protocol: string;
  readonly port?: number;
}

/** An EndpointSlice made from what DNS answered. */
export type DnsSlice = ClusterObject & {
  readonly addressType: "IPv4" | "IPv6";
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly { readonly addresses: readonly string[] }[];
};

/** What a Service of type ExternalName asks for; undefined = it is of another type. */
export function externalServiceOf({ metadata, spec }: Service): ExternalService | undefined {
  if (spec.type !== "ExternalName" || spec.externalName === undefined) return undefined;
  const ports = (spec.ports ?? []).map(({ name, port, targetPort, protocol }) => ({
    name: name ?? "",
    protocol,
    port: typeof targetPort === "number" && targetPort > 0 ? targetPort : port,
  }));
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    hostname: spec.externalName,
    // A port without a number is every port (discovery.k8s.io/v1).
    ports: ports.length > 0 ? ports : [{ name: "", protocol: "TCP" }],
  };
}

/** The names of the slices that a Service of that name may have. */
export function dnsSliceNames(service: string): readonly string[] {
  return [`${service}-dns`, `${service}-dns-ipv6`];
}

/** One slice for each family that has addresses; what is no address is left out. */
export function dnsSlices(service: ExternalService, addresses: readonly string[]): readonly DnsSlice[] {
  const [ipv4Name = "", ipv6Name = ""] = dnsSliceNames(service.name);
  const families = [
    { name: ipv4Name, addressType: "IPv4", family: 4 },
    { name: ipv6Name, addressType: "IPv6", family: 6 },
  ] as const;
  return families.flatMap(({ name, addressType, family }) => {
    // A zone (`fe80::1%eth0`) means something on this machine only, and nothing in a slice.
    const own = [...new Set(addresses)].filter((address) => isIP(address) === family && !address.includes("%")).sort();
    if (own.length === 0) return [];
    return [
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name, namespace: service.namespace, labels: { [SERVICE_NAME_LABEL]: service.name } },
        addressType,
        ports: service.ports,
        endpoints: own
          .slice(0, MOST_ENDPOINTS)
          .map((address) => ({ addresses: [address], conditions: { ready: true } })),
      },
    ];
  });
}
