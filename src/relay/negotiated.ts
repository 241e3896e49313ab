import { ALL_RESERVED_BITS, PER_MESSAGE_COMPRESSED } from "./frame-verdicts.ts";

/** What a handshake has settled for the frames behind it. */
export interface Negotiated {
  readonly subprotocol: string | undefined;
  /** The reserved bits that negotiated extensions own, out of 0x70. */
  readonly reservedBits: number;
}

/**
 * Reads the answers of a 101 (RFC 6455 4.2.2).
 * @param extensions The values of its Sec-WebSocket-Extensions fields, in any number.
 * @param subprotocol The value of its Sec-WebSocket-Protocol.
 */
export function readNegotiated(extensions: readonly string[], subprotocol: string | undefined): Negotiated {
  const chosen = subprotocol?.trim();
  return {
    subprotocol: chosen === "" ? undefined : chosen,
    reservedBits: extensions.flatMap(extensionNames).reduce((bits, name) => bits | bitsOf(name), 0),
  };
}

/**
 * Names alone, without parameters (RFC 6455 9.1). A quoted parameter cannot hold a comma or a semicolon; where one does
 * all the same, what is behind it counts as an unknown extension, which allows more and refuses nothing.
 */
function extensionNames(value: string): string[] {
  return value
    .split(",")
    .map((element) => (element.split(";", 1)[0] as string).trim())
    .filter((name) => name !== "");
}

/** permessage-deflate owns RSV1 (RFC 7692 6). What others do with the three bits is not known: all are theirs. */
function bitsOf(extension: string): number {
  return extension === "permessage-deflate" ? PER_MESSAGE_COMPRESSED : ALL_RESERVED_BITS;
}
