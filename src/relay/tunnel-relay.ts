import { ReadPage } from "./read-page.ts";
import type { Backlogs } from "./paced-pipe.ts";
import { EndPace } from "./end-pace.ts";
import { LiveTunnel } from "./live-tunnel.ts";
import { type Members, Roster } from "./roster.ts";
import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";
import type { TunnelSurroundings } from "./tunnel-surroundings.ts";
import type { Join, Relay, RelayObserver, Tunnel, TunnelEndListener } from "./types.ts";

export interface TunnelRelayOptions<Context> {
  /** Serves all timers of all tunnels, and their coarse clock. */
  readonly wheel: TimerWheel;
  /** The clock that the wheel was made with: monotonic, in milliseconds. */
  readonly now: () => number;
  /** 0 to below 1. For jitter, for the payload of our Pings and for the mask keys of our frames to backends. */
  readonly random: () => number;
  /** `stream` reads as any Node program does; for comparison, and for Nodes that allow nothing else. Default `page`. */
  readonly reading?: "page" | "stream";
  /** What all tunnels together may keep in memory; not given = no bound but each tunnel's own. */
  readonly budget?: Backlogs | undefined;
  readonly observer?: RelayObserver | undefined;
  readonly onEnd: TunnelEndListener<Context>;
}

/** TCP's own probes find a peer whose machine is gone, at no cost to the tunnel. */
const TCP_KEEPALIVE_MS = 60_000;
/** When a tunnel has lived so long it is settled: eight system calls and some objects that a storm of handshakes can do without. */
const SETTLED_AFTER_MS = 5_000;
/** Some milliseconds of work. */
const SETTLED_AT_ONCE = 128;

class TunnelRelay<Context> implements Relay<Context> {
  readonly #tunnels = new Roster<LiveTunnel<Context>>();
  readonly #surroundings: TunnelSurroundings<LiveTunnel<Context>>;
  #settling: TimerHandle | undefined = undefined;

  constructor(options: TunnelRelayOptions<Context>) {
    const { wheel, now, random, reading = "page", budget, observer, onEnd } = options;
    this.#surroundings = {
      wheel,
      now,
      random,
      tag: Math.floor(random() * 2 ** 32),
      observer,
      backlogs: budget,
      page: new ReadPage(),
      endPace: new EndPace({ now, nextTurn: setImmediate }),
      reading,
      onEnd: (tunnel, end) => {
        this.#tunnels.delete(tunnel);
        if (this.#tunnels.size === 0) {
          wheel.cancel(this.#settling);
          wheel.releaseClock();
        }
        onEnd(tunnel, end);
      },
    };
  }

  get tunnels(): Members<Tunnel<Context>> {
    return this.#tunnels;
  }

  join(pair: Join<Context>): Tunnel<Context> {
    // Before the first tunnel the wheel may rest, and its coarse clock with it.
    if (this.#tunnels.size === 0) this.#surroundings.wheel.holdClock();
    const tunnel = new LiveTunnel(pair, this.#surroundings);
    this.#tunnels.add(tunnel);
    if (this.#settling?.isPending !== true) this.#settleIn(SETTLED_AFTER_MS);
    tunnel.start(pair.client.early, pair.backend.early);
    return tunnel;
  }

  policiesChanged(): void {
    for (const tunnel of this.#tunnels) tunnel.retime();
  }

  #settleIn(ms: number): void {
    this.#settling = this.#surroundings.wheel.schedule(ms, () => this.#settle());
  }

  #settle(): void {
    const bornBefore = this.#surroundings.now() - SETTLED_AFTER_MS;
    let areYoung = false;
    let count = 0;
    for (const tunnel of this.#tunnels) {
      if (tunnel.isSettled) continue;
      if (tunnel.openedAtMs > bornBefore) areYoung = true;
      // Thousands that opened together would keep all others waiting: the rest in the next tick.
      else if (count === SETTLED_AT_ONCE) return this.#settleIn(0);
      else {
        tunnel.settle(TCP_KEEPALIVE_MS);
        count++;
      }
    }
    if (areYoung) this.#settleIn(SETTLED_AFTER_MS);
  }
}

/**
 * The relay in TypeScript, on Node's sockets. It sets `allowHalfOpen`, no-delay and, a little later, keep-alive on every
 * socket it is given.
 */
export function createTunnelRelay<Context>(options: TunnelRelayOptions<Context>): Relay<Context> {
  return new TunnelRelay(options);
}
