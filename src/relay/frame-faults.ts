/** What a frame does against RFC 6455, as far as its header and, of a control frame, its payload tell. */
export type FrameFault =
  /** A reserved bit that no negotiated extension owns (5.2; RFC 7692 6 for permessage-deflate). */
  | "reserved_bits"
  /** An opcode that nothing defines (5.2). */
  | "reserved_opcode"
  /** A control frame that is fragmented or longer than 125 bytes (5.5). */
  | "bad_control"
  /** Not masked by a client, or masked by a backend (5.1). */
  | "bad_mask"
  /** A length not in its shortest form, or with the top bit (5.2); or of 2^53 bytes and more, which we cannot count. */
  | "bad_length"
  /** A continuation of nothing, or a new data frame inside a fragmented message (5.4). */
  | "bad_continuation"
  /** A Close of one byte, with a code that must not be sent, or a reason that is not UTF-8 (5.5.1, 7.4). */
  | "bad_close";

/**
 * Faults after which receivers no longer agree where a frame ends, or what it belongs to: the stream becomes opaque.
 * After the others the next frame is still found. A `bad_length` that cannot be counted makes it opaque too.
 */
export const LOSES_FRAMING: Readonly<Record<FrameFault, boolean>> = Object.freeze({
  reserved_bits: false,
  reserved_opcode: true,
  bad_control: true,
  bad_mask: true,
  bad_length: false,
  bad_continuation: true,
  bad_close: false,
});

/** What one side did against RFC 6455. */
export interface FaultCount {
  readonly count: number;
  readonly first: FrameFault;
}

/** Of a side that is followed by a tracker; undefined when it did nothing wrong. */
export function faultCount(followed: {
  readonly faults: number;
  readonly fault: FrameFault | undefined;
}): FaultCount | undefined {
  return followed.fault && { count: followed.faults, first: followed.fault };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Judges the payload of a Close frame, unmasked. Empty is lawful. */
export function closeFault(payload: Uint8Array): "bad_close" | undefined {
  if (payload.length === 0) return undefined;
  if (payload.length === 1) return "bad_close";
  const code = ((payload[0] as number) << 8) | (payload[1] as number);
  return isSendableCode(code) && isUtf8(payload.subarray(2)) ? undefined : "bad_close";
}

/**
 * Whether a code may stand in a Close frame: RFC 6455 7.4.1, what IANA has registered since (1012 to 1014), and the
 * ranges for libraries and for applications (7.4.2). 1004 to 1006 and 1015 never; the rest is not given to anyone.
 */
function isSendableCode(code: number): boolean {
  if (code >= 1000 && code <= 1014) return code < 1004 || code > 1006;
  return code >= 3000 && code <= 4999;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    UTF8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
