import type { TimerHandle, TimerWheel } from "../relay/index.ts";
import type { Drain } from "./drain.ts";
import { RateGate } from "./rate-gate.ts";
import type { DrainableTunnel, DrainObserver } from "./types.ts";

export interface PacerSurroundings {
  readonly wheel: TimerWheel;
  /** The clock of the wheel, exact. */
  readonly now: () => number;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly observer: DrainObserver;
}

/**
 * Runs the drains that share one rate: closes what is due, of two the one whose time ends first. A drain leaves when it
 * is stopped, or when nobody is left in it and it does not stand for more.
 */
export class Pacer {
  readonly #around: PacerSurroundings;
  readonly #gate: RateGate;
  readonly #drains = new Set<Drain>();
  /** Of drains whose time is not yet up. */
  readonly #deadlines = new Map<Drain, TimerHandle>();
  readonly #onSettled: (drain: Drain) => void;
  #timer: TimerHandle | undefined = undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  /** `onSettled` hears when a drain is done, late or stopped. */
  constructor(around: PacerSurroundings, onSettled: (drain: Drain) => void) {
    this.#around = around;
    // A timer is set to the end of a tick, and the wheel may look at it anywhere in the next one.
    this.#gate = new RateGate(2 * around.wheel.tickMs);
    this.#onSettled = onSettled;
  }

  /** Until then what was closed here counts for what the rate allows. */
  get forgottenAtMs(): number {
    return this.#gate.forgottenAtMs;
  }

  has(drain: Drain): boolean {
    return this.#drains.has(drain);
  }

  /** @param perSecond for all drains here together; 0 = any number. */
  setRate(perSecond: number): void {
    this.#gate.setRate(perSecond);
    this.#arm();
  }

  begin(drain: Drain): void {
    this.#drains.add(drain);
    this.#around.observer.began(drain.facts);
    this.changed(drain);
  }

  /** Its tunnels or its orders are others than before. */
  changed(drain: Drain): void {
    const { wheel, now } = this.#around;
    this.#forgetDeadline(drain);
    if (drain.isEmpty) return this.#done(drain);
    if (drain.state === "running" && drain.deadlineMs !== Number.POSITIVE_INFINITY) {
      const handle = wheel.schedule(drain.deadlineMs - now(), () => this.#timeIsUp(drain));
      this.#deadlines.set(drain, handle);
    }
    this.#arm();
  }

  /** A tunnel of that drain has ended. */
  gone(drain: Drain, tunnel: DrainableTunnel): void {
    drain.remove(tunnel);
    if (drain.isEmpty) this.#done(drain);
  }

  stop(drain: Drain): void {
    drain.stop();
    this.#leave(drain);
    this.#settled(drain);
  }

  #done(drain: Drain): void {
    if (!this.#drains.has(drain) || drain.state === "done") return;
    if (this.#around.now() < drain.notDoneBeforeMs) return;
    drain.settle("done");
    if (drain.isLasting) this.#forgetDeadline(drain);
    else this.#leave(drain);
    this.#settled(drain);
  }

  #timeIsUp(drain: Drain): void {
    this.#deadlines.delete(drain);
    // It only waits for those that may still come.
    if (drain.isEmpty) return;
    drain.settle("late");
    this.#around.observer.late(drain.facts);
    this.#onSettled(drain);
  }

  #settled(drain: Drain): void {
    this.#around.observer.ended(drain.facts);
    this.#onSettled(drain);
  }

  #leave(drain: Drain): void {
    this.#drains.delete(drain);
    this.#forgetDeadline(drain);
    this.#arm();
  }

  #forgetDeadline(drain: Drain): void {
    this.#around.wheel.cancel(this.#deadlines.get(drain));
    this.#deadlines.delete(drain);
  }

  #closeDue(): void {
    const nowMs = this.#around.now();
    while (this.#gate.nextMs <= nowMs) {
      const drain = this.#mostUrgent(nowMs);
      if (drain === undefined) break;
      this.#gate.pass(nowMs);
      drain.closeNext(nowMs);
    }
    this.#arm();
  }

  #mostUrgent(nowMs: number): Drain | undefined {
    let found: Drain | undefined;
    for (const drain of this.#drains) {
      if (drain.dueMs <= nowMs && (found === undefined || drain.endsAtMs < found.endsAtMs)) found = drain;
    }
    return found;
  }

  #arm(): void {
    const { wheel, now } = this.#around;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const drain of this.#drains) dueMs = Math.min(dueMs, drain.dueMs);
    dueMs = Math.max(dueMs, this.#gate.nextMs);
    // One that fires earlier finds what is due then, and arms anew.
    const isCovered = this.#timer?.isPending === true && this.#timerMs <= dueMs;
    if (isCovered && dueMs !== Number.POSITIVE_INFINITY) return;
    wheel.cancel(this.#timer);
    this.#timerMs = dueMs;
    this.#timer =
      dueMs === Number.POSITIVE_INFINITY ? undefined : wheel.schedule(dueMs - now(), () => this.#closeDue());
  }
}
