/**
 * The reasons that conditions of a WebSocketRoute give, by condition. Users and tools compare them as text: a reason,
 * once released, stays.
 */
export const CONDITION_REASONS = {
  /** Accepted, True: the route is well-formed and ours. */
  Accepted: "Accepted",
  /** Accepted, False: the route breaks a rule of the schema; the message says where. With ResolvedRefs and Programmed: because of that. */
  Invalid: "Invalid",
  /** Accepted, False: without hostnames the route would claim every host, and its namespace may not. With ResolvedRefs and Programmed: because of that. */
  HostnamesRequired: "HostnamesRequired",
  /** ResolvedRefs, True: every backendRef leads to a port of a Service. */
  ResolvedRefs: "ResolvedRefs",
  /** ResolvedRefs, False: a backendRef names a Service that does not exist (yet). */
  BackendNotFound: "BackendNotFound",
  /** ResolvedRefs, False: the Service exists and has no such port. */
  PortNotFound: "PortNotFound",
  /** ResolvedRefs, False: the Service exists and cannot be understood. */
  InvalidBackend: "InvalidBackend",
  /** ResolvedRefs, False: a backendRef names a Service in another namespace, and no ReferenceGrant there allows it. */
  RefNotPermitted: "RefNotPermitted",
  /** ResolvedRefs, False: a backendRef names a Service of type ExternalName, which this Holdfast does not follow. */
  ExternalNameNotAllowed: "ExternalNameNotAllowed",
  /** Programmed, True: the route's rules are in the table. */
  Programmed: "Programmed",
  /** Programmed, True: part of the route is never reached, since others have the same matches and go first. */
  PartlyConflicting: "PartlyConflicting",
  /** Programmed, True: rules ask for affinity, and this Holdfast has no key for it; they are served without. */
  AffinityWithoutKey: "AffinityWithoutKey",
  /** Programmed, False: no part of the route is ever reached, since others have the same matches and go first. */
  Conflict: "Conflict",
} as const;

export type ConditionReason = (typeof CONDITION_REASONS)[keyof typeof CONDITION_REASONS];
