// Not by the room's door: a gate stands inside a flow, and a flow needs sockets, whose cost would hide it.
import { FlowGate, wantsGate } from "../../src/relay/flow-gate.ts";
import type { GateHost } from "../../src/relay/gate-host.ts";
import { FrameTracker, TimerWheel } from "../../src/relay/index.ts";
import type { FramePolicy } from "../../src/relay/types.ts";
import { entryOf } from "./entries.ts";
import { CHUNK_BYTES, cut, frame } from "./frames.ts";
import type { Scenario, Work } from "./scenario.ts";

const FRAMES = 6_000;
const TIMES = 10;
/** Above what is sent here, so that nothing waits. */
const HIGH = 1e9;

/** What a rule says when it says nothing: no gate, and the tracker's cost is the whole of it. */
const OFF: FramePolicy = entryOf({ name: "app" }).rule.policy;

const CHUNKINGS = {
  "many in a chunk": () => cut(Buffer.concat(frames()), CHUNK_BYTES, CHUNK_BYTES),
  "one per chunk": frames,
} as const;

const POLICIES: readonly { readonly name: string; readonly policy: Partial<FramePolicy> }[] = [
  { name: "maxMessageBytes", policy: { maxMessageBytes: HIGH } },
  { name: "messagesPerSecond", policy: { messagesPerSecond: HIGH } },
  { name: "all limits, Enforce", policy: limits() },
];

function limits(): Partial<FramePolicy> {
  return {
    strictness: "Enforce",
    maxMessageBytes: HIGH,
    maxFragments: HIGH,
    messagesPerSecond: HIGH,
    bytesPerSecond: HIGH,
    controlFramesPerSecond: HIGH,
  };
}

function frames(): readonly Buffer[] {
  return Array.from<Buffer>({ length: FRAMES }).fill(frame("client", 64));
}

/** Where a gate's bytes go; each thing that must not happen here throws. */
function hostOf(tracker: FrameTracker, wheel: TimerWheel): GateHost & { bytes: number } {
  const never = (): never => {
    throw new Error("a frame was stopped or had to wait");
  };
  return {
    from: "client",
    wheel,
    tracker,
    sink: { write: never },
    bytes: 0,
    forward(chunk) {
      this.bytes += chunk.length;
    },
    swallowed: never,
    holdForRate: never,
    goOnForRate: never,
    noteWaiting: never,
    passedLater: never,
    stopped: never,
  };
}

function passing(chunks: readonly Buffer[], policy: FramePolicy): Work {
  if (wantsGate(OFF, "client") || !wantsGate(policy, "client")) throw new Error("a gate where none is needed, or none");
  const wheel = new TimerWheel({ now: () => 0 });
  const bytes = TIMES * chunks.reduce((sum, { length }) => sum + length, 0);
  return {
    run: () => {
      const tracker = new FrameTracker("client");
      const host = hostOf(tracker, wheel);
      const gate = new FlowGate(host, policy);
      for (let time = 0; time < TIMES; time += 1) for (const chunk of chunks) gate.push(chunk);
      return host.bytes === bytes && tracker.isAtMessageBoundary ? tracker.messages : -1;
    },
    expected: TIMES * FRAMES,
  };
}

/** What frames cost that go through a gate, beside those of the group `frames`, which only a tracker follows. */
export function scenarios(): readonly Scenario[] {
  return POLICIES.flatMap(({ name, policy }) =>
    Object.entries(CHUNKINGS).map(([chunking, chunks]) => ({
      name: `gate, ${name}, frame of 64 B, ${chunking}`,
      unit: "ns" as const,
      units: FRAMES * TIMES,
      setup: () => passing(chunks(), { ...OFF, ...policy }),
    })),
  );
}
