import { CONDITION_REASONS, type Issue, ROUTE_KIND } from "../api/index.ts";
import type { NamespacedName } from "./types.ts";
import { listFaults } from "./list-faults.ts";

/** A reference that leads nowhere, with the reason that its condition gives. */
export interface RefFault extends Issue {
  readonly reason: "BackendNotFound" | "PortNotFound" | "InvalidBackend" | "RefNotPermitted" | "ExternalNameNotAllowed";
}

/** The route names a Service that does not exist (yet). */
export function backendNotFound(field: string, service: NamespacedName): RefFault {
  return { reason: CONDITION_REASONS.BackendNotFound, field, message: `Service ${service} not found` };
}

/** The Service exists and has no such port; `ports` says those it has: `80 (http)`. */
export function portNotFound(ref: {
  readonly field: string;
  readonly service: NamespacedName;
  readonly port: number;
  readonly ports: readonly string[];
}): RefFault {
  const has = ref.ports.length === 0 ? "no ports" : ref.ports.join(", ");
  return {
    reason: CONDITION_REASONS.PortNotFound,
    field: ref.field,
    message: `Service ${ref.service} has no port ${ref.port}; it has ${has}`,
  };
}

/** The Service exists and cannot be understood. */
export function invalidBackend(field: string, service: NamespacedName, faults: readonly Issue[]): RefFault {
  return {
    reason: CONDITION_REASONS.InvalidBackend,
    field,
    message: `Service ${service} is invalid (${listFaults(faults)})`,
  };
}

/**
 * The Service is in another namespace, and no ReferenceGrant there lets the route refer to it. Whether it exists is not
 * said: that is nobody's to know without a grant.
 */
export function refNotPermitted(ref: {
  readonly field: string;
  readonly fromNamespace: string;
  readonly namespace: string;
  readonly name: string;
}): RefFault {
  const { field, fromNamespace, namespace, name } = ref;
  return {
    reason: CONDITION_REASONS.RefNotPermitted,
    field: `${field}.namespace`,
    message:
      `needs a ReferenceGrant in namespace ${namespace} from ${ROUTE_KIND} in namespace ${fromNamespace} ` +
      `to Service ${name}; until then nothing is sent there`,
  };
}

/** The Service is of type ExternalName, and nobody allowed those. */
export function externalNameNotAllowed(field: string, service: NamespacedName): RefFault {
  return {
    reason: CONDITION_REASONS.ExternalNameNotAllowed,
    field,
    message:
      `Service ${service} is of type ExternalName, which is not followed; use a Service with endpoints, ` +
      "or have Holdfast started with --allow-external-name",
  };
}
