import { type Issue, parseService } from "../api/index.ts";

/** A TCP port of a Service. */
export interface ServicePort {
  /** "" when the Service does not name it; EndpointSlices refer to it by this name. */
  readonly name: string;
  readonly port: number;
  /** Where the Pods listen, when the Service says it as a number. */
  readonly targetPort: number | undefined;
}

/** What the graph wants to know of a Service; `faults` when it cannot be understood. */
export interface ServiceFacts {
  readonly faults: readonly Issue[] | undefined;
  readonly ports: readonly ServicePort[];
  readonly isExternalName: boolean;
  /** The primary IP family: `spec.ipFamilies[0]`, else that of the cluster IP; undefined = any. */
  readonly family: IpFamily | undefined;
  /** Pods that are not ready count as ready (`spec.publishNotReadyAddresses`). */
  readonly publishesNotReady: boolean;
}

type IpFamily = "IPv4" | "IPv6";

const NOT_UNDERSTOOD = { ports: [], isExternalName: false, family: undefined, publishesNotReady: false };

/** Reads a Service; never throws. */
export function readService(object: unknown): ServiceFacts {
  const parsed = parseService(object);
  if (!parsed.ok) return { ...NOT_UNDERSTOOD, faults: parsed.issues };
  const { spec } = parsed.value;
  const ports = (spec.ports ?? [])
    .filter(({ protocol }) => protocol === "TCP")
    .map(({ name, port, targetPort }) => ({
      name: name ?? "",
      port,
      targetPort: typeof targetPort === "number" ? targetPort : undefined,
    }));
  return {
    faults: undefined,
    ports,
    isExternalName: spec.type === "ExternalName",
    family: spec.ipFamilies?.[0] ?? familyOf(spec.clusterIP),
    publishesNotReady: spec.publishNotReadyAddresses ?? false,
  };
}

/** A headless Service (`None`), and one in a folder, may have no address to tell it by. */
function familyOf(clusterIP: string | undefined): IpFamily | undefined {
  if (clusterIP === undefined || clusterIP === "" || clusterIP === "None") return undefined;
  return clusterIP.includes(":") ? "IPv6" : "IPv4";
}

/**
 * The port of the Service that a backendRef means. An ExternalName Service without ports has every port: there, the
 * number is what is dialled.
 */
export function findPort(service: ServiceFacts, port: number): ServicePort | undefined {
  const found = service.ports.find((candidate) => candidate.port === port);
  if (found !== undefined) return found;
  if (service.isExternalName && service.ports.length === 0) return { name: "", port, targetPort: undefined };
  return undefined;
}
