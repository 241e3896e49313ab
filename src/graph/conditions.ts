import { CONDITION_REASONS, type Issue } from "../api/index.ts";
import type { Condition } from "./types.ts";

/** Kubernetes allows 32,768 characters; what is longer than this is read by nobody. */
const LONGEST_MESSAGE = 1024;
const MOST_FAULTS = 8;

/** A reference that leads nowhere, with the reason that its condition gives. */
export interface RefFault extends Issue {
  readonly reason: "BackendNotFound" | "PortNotFound" | "InvalidBackend";
}

/** The route is well-formed and ours. */
export function accepted(): Condition {
  return { type: "Accepted", status: "True", reason: CONDITION_REASONS.Accepted, message: "" };
}

/** The route breaks a rule of the schema; nothing of it is served. */
export function invalid(faults: readonly Issue[]): Condition {
  return { type: "Accepted", status: "False", reason: CONDITION_REASONS.Invalid, message: listFaults(faults) };
}

/** Every backendRef leads to a port of a Service. */
export function refsResolved(): Condition {
  return { type: "ResolvedRefs", status: "True", reason: CONDITION_REASONS.ResolvedRefs, message: "" };
}

/** At least one backendRef leads nowhere; the reason is that of the first, the message tells of all. */
export function refsUnresolved(faults: readonly [RefFault, ...RefFault[]]): Condition {
  return { type: "ResolvedRefs", status: "False", reason: faults[0].reason, message: listFaults(faults) };
}

/** A route that is not accepted has no references that could be looked at. */
export function refsNotLookedAt(): Condition {
  return {
    type: "ResolvedRefs",
    status: "Unknown",
    reason: CONDITION_REASONS.Invalid,
    message: "the route is not accepted",
  };
}

/** The route's rules are in the table. */
export function programmed(): Condition {
  return { type: "Programmed", status: "True", reason: CONDITION_REASONS.Programmed, message: "" };
}

/** Nothing of the route is in the table. */
export function notProgrammed(): Condition {
  return {
    type: "Programmed",
    status: "False",
    reason: CONDITION_REASONS.Invalid,
    message: "the route is not accepted",
  };
}

/** The route names a Service that does not exist (yet). */
export function backendNotFound(field: string, service: string): RefFault {
  return { reason: CONDITION_REASONS.BackendNotFound, field, message: `Service ${service} not found` };
}

/** The Service exists and has no such port; `ports` says those it has: `80 (http)`. */
export function portNotFound(ref: {
  field: string;
  service: string;
  port: number;
  ports: readonly string[];
}): RefFault {
  const has = ref.ports.length === 0 ? "no ports" : ref.ports.join(", ");
  return {
    reason: CONDITION_REASONS.PortNotFound,
    field: ref.field,
    message: `Service ${ref.service} has no port ${ref.port}; it has ${has}`,
  };
}

/** The Service exists and cannot be understood. */
export function invalidBackend(field: string, service: string, faults: readonly Issue[]): RefFault {
  return {
    reason: CONDITION_REASONS.InvalidBackend,
    field,
    message: `Service ${service} is invalid (${listFaults(faults)})`,
  };
}

function listFaults(faults: readonly Issue[]): string {
  const named = faults
    .slice(0, MOST_FAULTS)
    .map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
  if (faults.length > MOST_FAULTS) named.push(`and ${faults.length - MOST_FAULTS} more`);
  const text = named.join("; ");
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE - 1)}…` : text;
}
