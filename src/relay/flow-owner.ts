import type { FlowStop } from "./gate-host.ts";

/** What a flow needs from the tunnel it belongs to. */
export interface FlowOwner<Flow> {
  /** The framing is lost, and nothing can be put between this flow's frames. */
  isOpaqueFor(flow: Flow): boolean;
  /** The source's Close frame has gone by, passed on or discarded; once per flow. */
  closeSeen(flow: Flow): void;
  /** The code of a Close of ours that went to this flow's source; undefined = none did. */
  codeToldTo(flow: Flow): number | undefined;
  /** The sink of this flow may still say Close: it has not yet, and its stream has not ended. */
  mayStillClose(flow: Flow): boolean;
  flowFinished(): void;
  /** The source sent what the policy does not allow; what is not allowed has not passed. */
  stopped(flow: Flow, why: FlowStop): void;
  /** The buffers of all tunnels are full, and this flow's share must go. */
  shed(): void;
}
