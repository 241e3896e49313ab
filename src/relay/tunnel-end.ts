import type { Flow } from "./flow.ts";
import { faultCount } from "./frame-faults.ts";
import type { EndCause, TunnelEnd, TunnelStats } from "./types.ts";

/** Both directions of a tunnel. */
export interface Flows {
  readonly up: Flow;
  readonly down: Flow;
}

/** What a tunnel has carried so far. */
export function statsOf({ up, down }: Flows): TunnelStats {
  return {
    bytesUp: up.bytes,
    bytesDown: down.bytes,
    messagesUp: up.tracker.messages,
    messagesDown: down.tracker.messages,
  };
}

/** What there is to say of a tunnel whose sockets are closed. */
export function endOf(
  { up, down }: Flows,
  facts: Pick<TunnelEnd, "cause" | "forced" | "opaque" | "roundTripMs" | "soundMs" | "durationMs">,
): TunnelEnd {
  return {
    ...facts,
    by: endedBy(facts.cause),
    codeToClient: down.closeCode,
    codeToBackend: up.closeCode,
    midFrame: up.isMidFrame || down.isMidFrame,
    clientFaults: faultCount(up.tracker),
    backendFaults: faultCount(down.tracker),
    stats: statsOf({ up, down }),
  };
}

function endedBy(cause: EndCause): TunnelEnd["by"] {
  return cause.startsWith("client") ? "client" : cause.startsWith("backend") ? "backend" : "holdfast";
}
