import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";
import type { TunnelPolicy } from "./types.ts";

/** A changed policy may find many tunnels overdue: they end over this share of the limit, and no longer than this. */
const OVERDUE_SPREAD_SHARE = 0.2;
const OVERDUE_SPREAD_MS = 30_000;

/** The tunnel that is timed. */
export interface Timed {
  /** On the clock. */
  readonly openedAtMs: number;
  readonly lastActiveAtMs: number;
  /** It is quiet only because what was sent waits for its time. */
  readonly isAheadOfRate: boolean;
  close(cause: "idle" | "lifetime"): void;
}

export interface TimerSurroundings {
  readonly wheel: TimerWheel;
  /** The clock of the wheel, exact. */
  readonly now: () => number;
}

/** Ends a tunnel that is idle, or has lived long enough. */
export class TunnelTimers {
  readonly #tunnel: Timed;
  readonly #around: TimerSurroundings;
  /** How much of the jitter this tunnel gets, 0 to 1. */
  readonly #lot: number;
  #policy: TunnelPolicy;
  #idle: TimerHandle | undefined = undefined;
  #lifetime: TimerHandle | undefined = undefined;

  /** Nothing runs before `start`. */
  constructor(tunnel: Timed, policy: TunnelPolicy, around: TimerSurroundings, lot: number) {
    this.#tunnel = tunnel;
    this.#policy = policy;
    this.#around = around;
    this.#lot = lot;
  }

  /** Whether a policy has anything to time. */
  static has({ idleMs, lifetimeMs }: TunnelPolicy): boolean {
    return idleMs > 0 || lifetimeMs > 0;
  }

  start(): void {
    this.#armIdle();
    this.#armLifetime();
  }

  /** What the new policy finds overdue ends spread over time. */
  follow(policy: TunnelPolicy): void {
    this.#policy = policy;
    this.#armIdle(this.#spreadMs(policy.idleMs));
    this.#armLifetime(this.#spreadMs(policy.lifetimeMs));
  }

  stop(): void {
    this.#around.wheel.cancel(this.#idle);
    this.#around.wheel.cancel(this.#lifetime);
  }

  /** This tunnel's place among those that a changed limit finds overdue. */
  #spreadMs(limitMs: number): number {
    return this.#lot * Math.min(limitMs * OVERDUE_SPREAD_SHARE, OVERDUE_SPREAD_MS);
  }

  #armIdle(whenOverdueMs = 0): void {
    const { wheel, now } = this.#around;
    wheel.cancel(this.#idle);
    const { idleMs } = this.#policy;
    if (idleMs <= 0) return;
    // A tick more, since the coarse clock may date activity a tick early.
    const leftMs = this.#tunnel.lastActiveAtMs + idleMs + wheel.tickMs - now();
    this.#idle = wheel.schedule(leftMs > 0 ? leftMs : whenOverdueMs, () => this.#checkIdle());
  }

  /** Activity only notes the time, and the timer looks at it when it fires. */
  #checkIdle(): void {
    const { wheel, now } = this.#around;
    const quietMs = now() - this.#tunnel.lastActiveAtMs;
    if (quietMs < this.#policy.idleMs + wheel.tickMs) this.#armIdle();
    else if (this.#tunnel.isAheadOfRate) this.#armIdle(this.#policy.idleMs);
    else this.#tunnel.close("idle");
  }

  #armLifetime(whenOverdueMs = 0): void {
    const { wheel, now } = this.#around;
    wheel.cancel(this.#lifetime);
    const { lifetimeMs, lifetimeJitterPercent } = this.#policy;
    if (lifetimeMs <= 0) return;
    const endsAtMs = this.#tunnel.openedAtMs + lifetimeMs * (1 - (this.#lot * lifetimeJitterPercent) / 100);
    const leftMs = endsAtMs - now();
    this.#lifetime = wheel.schedule(leftMs > 0 ? leftMs : whenOverdueMs, () => this.#tunnel.close("lifetime"));
  }
}
