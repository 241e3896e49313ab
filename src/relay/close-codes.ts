import type { EndCause } from "./types.ts";

/** What each side is told when a tunnel ends for a cause; undefined = nothing is said to that side. */
export interface CloseCodes {
  readonly toClient: number | undefined;
  readonly toBackend: number | undefined;
}

const NOTHING: CloseCodes = Object.freeze({ toClient: undefined, toBackend: undefined });

/**
 * Which code goes where, for every cause (RFC 6455 7.4 and the IANA registry of close codes). A side that has said
 * Close itself is told nothing: the causes `…_close` pass the peers' own frames on. A
 * planned end may have words of its own for the client. Causes still to come have their place here: rebalanced 1012/1001,
 * no backend in time 1013/–. 1014 is never used: some client libraries
 * refuse it.
 */
export const CLOSE_CODES: Readonly<Record<EndCause, CloseCodes>> = Object.freeze({
  client_close: NOTHING,
  backend_close: NOTHING,
  client_lost: Object.freeze({ toClient: undefined, toBackend: 1001 }),
  backend_lost: Object.freeze({ toClient: 1012, toBackend: 1001 }),
  client_dead: Object.freeze({ toClient: undefined, toBackend: 1001 }),
  backend_dead: Object.freeze({ toClient: 1012, toBackend: 1001 }),
  idle: Object.freeze({ toClient: 1001, toBackend: 1001 }),
  lifetime: Object.freeze({ toClient: 1001, toBackend: 1001 }),
  protocol_error: Object.freeze({ toClient: 1002, toBackend: 1002 }),
  message_too_big: Object.freeze({ toClient: 1009, toBackend: 1009 }),
  too_many_fragments: Object.freeze({ toClient: 1008, toBackend: 1008 }),
  rate_limit: Object.freeze({ toClient: 1008, toBackend: 1008 }),
  buffers_full: Object.freeze({ toClient: 1013, toBackend: 1001 }),
  drained: Object.freeze({ toClient: 1012, toBackend: 1001 }),
  admin: Object.freeze({ toClient: 1012, toBackend: 1001 }),
  proxy_shutdown: Object.freeze({ toClient: 1012, toBackend: 1001 }),
  cut: NOTHING,
});

/** Stands for a Close frame without a code; never on the wire (RFC 6455 7.1.5). */
export const NO_STATUS = 1005;
