import type { Endpoint, UpstreamKey } from "../routing/index.ts";
import type { Departure, Standing } from "./standing.ts";
import type { Backend, BackendId } from "./types.ts";

/**
 * The identity of an endpoint. Addresses are reused by later Pods, so the Pod's UID is part of it; where no UID is
 * known (a file, DNS) the address alone has to do.
 */
export function backendId(endpoint: Pick<Endpoint, "podUid" | "address" | "port">): BackendId {
  return `${endpoint.podUid ?? ""}|${endpoint.address}|${endpoint.port}` as BackendId;
}

/** `address:port`, and `[address]:port` for IPv6. */
function targetOf({ address, port }: Pick<Endpoint, "address" | "port">): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A backend with its live counts; outlives every table and every list of endpoints while something holds a lease. */
export class BackendState {
  readonly backend: Backend;
  /** As the source has it; undefined = it lists it not. */
  endpoint: Endpoint | undefined = undefined;
  standing: Standing = "serving";
  /** When it came to stand so. */
  sinceMs: number;
  /** When it came to be ready. Minus infinity: it was when its upstream was first heard of. */
  readySinceMs = Number.NEGATIVE_INFINITY;
  departure: Departure | undefined = undefined;
  /** An order took it out of the choice. */
  isCordoned = false;
  /** Of the leases that are no tunnels yet: */
  handshakes = 0;
  requests = 0;
  tunnels = 0;

  constructor(upstream: UpstreamKey, endpoint: Endpoint, nowMs: number) {
    this.sinceMs = nowMs;
    this.backend = Object.freeze({
      id: backendId(endpoint),
      upstream,
      address: endpoint.address,
      port: endpoint.port,
      target: targetOf(endpoint),
      podUid: endpoint.podUid,
    });
  }

  /** It may take new tunnels. */
  get isAccepting(): boolean {
    return this.standing === "serving" && !this.isCordoned;
  }

  /** It goes, and can still be used: better than nothing. */
  get isLastResort(): boolean {
    return this.endpoint?.terminating === true && this.endpoint.serving && !this.isCordoned;
  }

  /** Handshakes and plain requests under way. */
  get pending(): number {
    return this.handshakes + this.requests;
  }

  /** What limits of tunnels count. */
  get tunnelsToBe(): number {
    return this.tunnels + this.handshakes;
  }

  get leases(): number {
    return this.pending + this.tunnels;
  }

  get isIdle(): boolean {
    return this.leases === 0;
  }
}
