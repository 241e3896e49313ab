import type { KeepaliveLine, KeepaliveSurroundings } from "./keepalive.ts";
import { TunnelKeepalive } from "./tunnel-keepalive.ts";
import { type Timed, TunnelTimers } from "./tunnel-timers.ts";
import type { TunnelPolicy } from "./types.ts";

/** The tunnel whose policy has a say over time. */
export interface TimedTunnel extends Timed {
  lineTo(side: "client" | "backend"): KeepaliveLine;
}

/** What a policy asks of a tunnel over time: its timers and keepalive, each made when it is first needed. */
export class TunnelTimes {
  readonly #tunnel: TimedTunnel;
  readonly #around: KeepaliveSurroundings;
  /** How much of every jitter this tunnel gets, 0 to 1. */
  readonly #lot: number;
  #timers: TunnelTimers | undefined = undefined;
  #keepalive: TunnelKeepalive | undefined = undefined;

  constructor(tunnel: TimedTunnel, lot: number, around: KeepaliveSurroundings) {
    this.#tunnel = tunnel;
    this.#lot = lot;
    this.#around = around;
  }

  /** How long the client took for its last Pong to a Ping of ours. */
  get roundTripMs(): number | undefined {
    return this.#keepalive?.roundTripMs;
  }

  /** The tunnel begins. What short ones can do without waits until `settle`. */
  start(policy: TunnelPolicy): void {
    if (TunnelTimers.has(policy)) this.#needTimers(policy).start();
    if (TunnelKeepalive.isSoon(policy)) this.settle(policy);
  }

  /** The tunnel has lived some seconds. */
  settle(policy: TunnelPolicy): void {
    this.#keepalive ??= new TunnelKeepalive(
      { client: this.#tunnel.lineTo("client"), backend: this.#tunnel.lineTo("backend") },
      this.#lot,
      this.#around,
    );
    this.#keepalive.follow(policy);
  }

  /** Another policy holds from now on. */
  follow(policy: TunnelPolicy): void {
    if (this.#timers !== undefined || TunnelTimers.has(policy)) this.#needTimers(policy).follow(policy);
    this.settle(policy);
  }

  /** For good. */
  stop(): void {
    this.#timers?.stop();
    this.#keepalive?.stop();
  }

  #needTimers(policy: TunnelPolicy): TunnelTimers {
    this.#timers ??= new TunnelTimers(this.#tunnel, policy, this.#around, this.#lot);
    return this.#timers;
  }
}
