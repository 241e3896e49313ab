/**
 * relay: joins two byte streams under a policy. It follows frames by their headers in both directions, to know the
 * boundaries and to write a Close between two frames; it counts, passes backpressure on, and ends tunnels so that
 * whoever is closed learns why.
 * May import: node:net and node:stream, nothing else. Time, timers and randomness are parameters.
 * Must never: re-frame, copy or touch payload of data frames; log; know what a route or a backend is; allocate or set
 * a timer per chunk.
 */
export type * from "./types.ts";
export { BufferBudget, type BufferBudgetOptions } from "./buffer-budget.ts";
export { CLOSE_CODES, type CloseCodes, NO_STATUS } from "./close-codes.ts";
export { encodeClose } from "./close-frame.ts";
export { type FaultCount, type FrameFault } from "./frame-faults.ts";
export { type Boundary, FrameTracker } from "./frame-tracker.ts";
export { type Negotiated, negotiatedBy } from "./negotiated.ts";
export { type Members, Roster, type RosterMember } from "./roster.ts";
export { type TimerHandle, TimerWheel, type TimerWheelOptions } from "./timer-wheel.ts";
export { TokenBucket } from "./token-bucket.ts";
export { createTunnelRelay, type TunnelRelayOptions } from "./tunnel-relay.ts";
