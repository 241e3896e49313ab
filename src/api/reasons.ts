/**
 * The reasons that conditions of a WebSocketRoute give, by condition. Users and tools compare them as text: a reason,
 * once released, stays.
 */
export const CONDITION_REASONS = {
  /** Accepted, True: the route is well-formed and ours. */
  Accepted: "Accepted",
  /** Accepted, False: the route breaks a rule of the schema; the message says where. With ResolvedRefs and Programmed: because of that. */
  Invalid: "Invalid",
  /** ResolvedRefs, True: every backendRef leads to a port of a Service. */
  ResolvedRefs: "ResolvedRefs",
  /** ResolvedRefs, False: a backendRef names a Service that does not exist (yet). */
  BackendNotFound: "BackendNotFound",
  /** ResolvedRefs, False: the Service exists and has no such port. */
  PortNotFound: "PortNotFound",
  /** ResolvedRefs, False: the Service exists and cannot be understood. */
  InvalidBackend: "InvalidBackend",
  /** Programmed, True: the route's rules are in the table. */
  Programmed: "Programmed",
} as const;

export type ConditionReason = (typeof CONDITION_REASONS)[keyof typeof CONDITION_REASONS];
