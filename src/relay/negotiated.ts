import { ALL_RESERVED_BITS, PER_MESSAGE_COMPRESSED } from "./frame-verdicts.ts";

/** What a handshake has settled for the frames behind it. */
export interface Negotiated {
  readonly subprotocol: string | undefined;
  /** The reserved bits that negotiated extensions own, out of 0x70. */
  readonly reservedBits: number;
}

/**
 * What the answers of a 101 settle (RFC 6455 4.2.2).
 * @param extensions Their names, without parameters.
 * @param subprotocol The value of its Sec-WebSocket-Protocol.
 */
export function negotiatedBy(extensions: readonly string[], subprotocol: string | undefined): Negotiated {
  const chosen = subprotocol?.trim();
  return {
    subprotocol: chosen === "" ? undefined : chosen,
    reservedBits: extensions.reduce((bits, name) => bits | bitsOf(name), 0),
  };
}

/** permessage-deflate owns RSV1 (RFC 7692 6). What others do with the three bits is not known: all are theirs. */
function bitsOf(extension: string): number {
  return extension === "permessage-deflate" ? PER_MESSAGE_COMPRESSED : ALL_RESERVED_BITS;
}
