/**
 * How many file descriptors the process may have, from the text of /proc/self/limits (proc_pid_limits(5)): the soft
 * limit, which Node raises to the hard one when it starts. undefined = nobody says, or there is none.
 */
export function descriptorLimit(limits: string | undefined): number | undefined {
  const soft = /^Max open files +(\d+) /m.exec(limits ?? "")?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** How many of what costs descriptors may be there at once. */
export interface ConnectionBounds {
  /** Handshakes under way count too. */
  readonly maxTunnels: number;
  /** Of clients, whatever they are for; each may have one connection to a backend. */
  readonly maxConnections: number;
}

/** Listeners, log, threads, watches of the API server, name look-ups, scrapes, connections that hear a refusal. */
const OWN_DESCRIPTORS = 80;
/** Connections that plain requests, idle clients and such as have not yet said what they want can always have. */
const LEAST_OTHERS = 16;
const OTHERS_SHARE = 1 / 32;

/** A tunnel has two descriptors, and so has a plain request; what is left of the limit stays for ourselves. */
export function connectionBounds(descriptors: number): ConnectionBounds {
  const maxConnections = Math.max(Math.floor((descriptors - OWN_DESCRIPTORS) / 2), 2);
  const others = Math.max(LEAST_OTHERS, Math.ceil(descriptors * OTHERS_SHARE));
  return { maxTunnels: Math.max(maxConnections - others, 1), maxConnections };
}
