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
  /** The primary IP family (`spec.ipFamilies[0]`); undefined = any. */
  readonly family: string | undefined;
}

/** Reads a Service; never throws. */
export function readService(object: unknown): ServiceFacts {
  const parsed = parseService(object);
  if (!parsed.ok) return { faults: parsed.issues, ports: [], isExternalName: false, family: undefined };
  const { spec } = parsed.value;
  const ports = (spec.ports ?? [])
    .filter(({ protocol }) => protocol === "TCP")
    .map(({ name, port, targetPort }) => ({
      name: name ?? "",
      port,
      targetPort: typeof targetPort === "number" ? targetPort : undefined,
    }));
  return { faults: undefined, ports, isExternalName: spec.type === "ExternalName", family: spec.ipFamilies?.[0] };
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
