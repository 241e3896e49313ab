import { OPCODE } from "./frames.ts";
import type { Peer } from "./peer.ts";

/** Something against RFC 6455, by the name that the log has for it. */
export interface Violation {
  readonly fault: string;
  readonly losesFraming: boolean;
  bytes(peer: Peer): Buffer;
}

const some = (peer: Peer, most: number): Buffer => Buffer.alloc(peer.random.int(0, most), 0x61);

/** A frame of the other side's kind: unmasked where it must be masked, and masked where it must not be. */
function wronglyMasked(peer: Peer): Buffer {
  const frame = peer.encode({ opcode: OPCODE.binary, payload: some(peer, 100) });
  if (peer.side === "client") return Buffer.concat([Buffer.of(frame[0]!, frame[1]! & 0x7f), frame.subarray(6)]);
  return Buffer.concat([Buffer.of(frame[0]!, frame[1]! | 0x80, 0, 0, 0, 0), frame.subarray(2)]);
}

export const VIOLATIONS: readonly Violation[] = [
  {
    fault: "reserved_bits",
    losesFraming: false,
    bytes: (peer) => peer.encode({ opcode: OPCODE.pong, payload: some(peer, 100), reserved: peer.random.int(1, 7) }),
  },
  {
    fault: "bad_length",
    losesFraming: false,
    bytes: (peer) => peer.encode({ opcode: OPCODE.binary, payload: some(peer, 16) }, peer.random.pick([2, 8] as const)),
  },
  {
    fault: "reserved_opcode",
    losesFraming: true,
    bytes: (peer) => peer.encode({ opcode: peer.random.pick([3, 7, 11, 15]), payload: some(peer, 100) }),
  },
  {
    fault: "bad_control",
    losesFraming: true,
    bytes: (peer) => peer.encode({ opcode: OPCODE.ping, payload: some(peer, 100), isFinal: false }),
  },
  {
    fault: "bad_control",
    losesFraming: true,
    bytes: (peer) => peer.encode({ opcode: OPCODE.pong, payload: Buffer.alloc(126) }),
  },
  { fault: "bad_mask", losesFraming: true, bytes: wronglyMasked },
  {
    fault: "bad_continuation",
    losesFraming: true,
    bytes: (peer) => peer.encode({ opcode: OPCODE.continuation, payload: some(peer, 1000) }),
  },
];

/** Also ends the tunnel, so it is done apart. */
export const BAD_CLOSES: readonly Buffer[] = [
  Buffer.of(3),
  Buffer.of(3, 237),
  Buffer.of(0, 9),
  Buffer.of(3, 232, 0xff),
];
