import { Keepalive, type KeepaliveLine, type KeepaliveSurroundings } from "./keepalive.ts";
import type { KeepalivePolicy } from "./types.ts";

/** A first Ping so late, up to a tenth less, comes after a tunnel is settled in any case. */
const LATE_PING_MS = 15_000;

/** Both peers of a tunnel. */
export interface KeepaliveLines {
  readonly client: KeepaliveLine;
  readonly backend: KeepaliveLine;
}

/** Keepalive of both sides; of each, only once a policy asks for it. */
export class TunnelKeepalive {
  readonly #lines: KeepaliveLines;
  readonly #around: KeepaliveSurroundings;
  readonly #lot: number;
  #client: Keepalive | undefined = undefined;
  #backend: Keepalive | undefined = undefined;

  /** @param lot This tunnel's share of every jitter, 0 to 1. */
  constructor(lines: KeepaliveLines, lot: number, around: KeepaliveSurroundings) {
    this.#lines = lines;
    this.#lot = lot;
    this.#around = around;
  }

  /** Somebody may have to be asked before the tunnel is settled. */
  static isSoon({ pingMs, backendPingMs }: KeepalivePolicy): boolean {
    return (pingMs > 0 && pingMs < LATE_PING_MS) || (backendPingMs > 0 && backendPingMs < LATE_PING_MS);
  }

  /** How long the client took for its last Pong to a Ping of ours. */
  get roundTripMs(): number | undefined {
    return this.#client?.roundTripMs;
  }

  follow({ pingMs, backendPingMs, pongTimeoutMs }: KeepalivePolicy): void {
    if (pingMs > 0) this.#client ??= new Keepalive(this.#lines.client, this.#lot, this.#around);
    if (backendPingMs > 0) this.#backend ??= new Keepalive(this.#lines.backend, this.#lot, this.#around);
    this.#client?.set(pingMs, pongTimeoutMs);
    this.#backend?.set(backendPingMs, pongTimeoutMs);
  }

  /** For good. */
  stop(): void {
    this.#client?.stop();
    this.#backend?.stop();
  }
}
