import { type TimerHandle, type TimerWheel, TokenBucket } from "../relay/index.ts";
import type { CompiledRule } from "../routing/index.ts";
import type { Balancer } from "../upstream/index.ts";
import { HoldClock } from "./hold-clock.ts";
import { Refusals } from "./refusals.ts";
import type { AdmissionRefusal, Applicant, Block, Place, RuleAtWork, WaitingCount } from "./types.ts";
import { type Waiter, WaitList } from "./wait-list.ts";

/** While someone waits it is looked so often whether he may go on: an ejected backend comes back without a word. */
const LOOK_AGAIN_MS = 250;

/** After a quiet time a second's worth of handshakes begins at once, but no more: they would be a storm of their own. */
const MOST_AT_ONCE = 100;

/** Of one that was admitted or refused at once. */
const NOWHERE: Place = { leave: () => {} };

export interface RuleLineSurroundings {
  readonly balancer: Pick<Balancer, "acquire" | "roomFor">;
  readonly wheel: Pick<TimerWheel, "schedule" | "cancel">;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** 0 to below 1. */
  readonly random: () => number;
  /** Whoever has to wait is refused. */
  readonly isLeaving: () => boolean;
  /** `pump` is due. */
  readonly onDue: (line: RuleLine) => void;
  /** Nobody waits any more. */
  readonly onEmpty: (line: RuleLine) => void;
}

/**
 * The handshakes of one rule that wait, first come, first served. Whoever finds no backend is held, whoever is above a limit is
 * queued: it is one line, and what keeps its first one back keeps back all.
 */
export class RuleLine {
  #live: RuleAtWork;
  readonly #around: RuleLineSurroundings;
  readonly #list = new WaitList();
  readonly #refusals: Refusals;
  #holdClock = new HoldClock();
  #bucket: TokenBucket | undefined = undefined;
  #perSecond: number | undefined = undefined;
  #tokenInMs = 0;
  /** What keeps the first one back; undefined = as far as is known, nothing. */
  #block: Block | undefined = undefined;
  /** What kept someone back last: those that wait while others are let go have it as their reason. */
  #lastBlock: Block = "backends";
  /** How long one may wait. Whoever waits already keeps its time when an edit says that nobody does. */
  #holdMs = 0;
  #queueMs = 0;
  #timer: TimerHandle | undefined = undefined;

  constructor(live: RuleAtWork, around: RuleLineSurroundings) {
    this.#live = live;
    this.#around = around;
    this.#refusals = new Refusals(around.random);
  }

  /** As it is now. */
  get rule(): CompiledRule {
    return this.#live.rule;
  }

  get isEmpty(): boolean {
    return this.#list.size === 0;
  }

  get waiting(): WaitingCount {
    const { route, rule } = this.rule;
    return { route, rule, why: this.#block === "none" ? "hold" : "queue", count: this.#list.size };
  }

  /** A handshake that `live.holders` counts already goes on at once, later, or never. */
  enter(live: RuleAtWork, applicant: Applicant): Place {
    this.#live = live;
    const nowMs = this.#around.now();
    const isFirst = this.isEmpty;
    const waiter = this.#list.append({ applicant, sinceMs: nowMs, holdClockMs: this.#holdClock.readMs(nowMs) });
    const block = isFirst ? this.#tryFirst(waiter, nowMs) : this.#block;
    if (waiter.isWaiting && this.#around.isLeaving()) this.#refuse(waiter, "leaving", nowMs);
    else if (this.#list.size > this.#placesFor(block)) this.#refuse(waiter, block ?? this.#lastBlock, nowMs);
    if (isFirst) this.#settle(nowMs);
    return waiter.isWaiting ? { leave: () => this.#leave(waiter) } : NOWHERE;
  }

  /**
   * Lets go whoever may go on or has waited too long. Returns how many those were: when it is `most`, there may be more of them.
   */
  pump(most: number): number {
    const nowMs = this.#around.now();
    const isLeaving = this.#around.isLeaving();
    let block: Block | undefined;
    let count = 0;
    for (let first = this.#list.first; first !== undefined && count < most; first = this.#list.first) {
      if (isLeaving) this.#refuse(first, "leaving", nowMs);
      else if (block === undefined) block = this.#tryFirst(first, nowMs);
      else if (this.#mayWaitMs(first, nowMs) <= 0) this.#refuse(first, block, nowMs);
      else break;
      if (!first.isWaiting) count++;
    }
    this.#settle(nowMs);
    return count;
  }

  #tryFirst(first: Waiter, nowMs: number): Block | undefined {
    const { holdMs, queueMs } = this.rule.policy.admission;
    if (holdMs > 0) this.#holdMs = holdMs;
    if (queueMs > 0) this.#queueMs = queueMs;
    const block = this.#admit(first, nowMs);
    this.#block = block;
    this.#lastBlock = block ?? this.#lastBlock;
    if (block === "none") this.#holdClock.start(nowMs);
    else this.#holdClock.stop(nowMs);
    return block;
  }

  #admit(first: Waiter, nowMs: number): Block | undefined {
    const { rule, holders } = this.#live;
    const { balancer } = this.#around;
    const { maxTunnels, handshakesPerSecond } = rule.policy.admission;
    const bucket = this.#bucketOf(handshakesPerSecond, nowMs);
    let block: Block = "backends";
    if (maxTunnels > 0 && holders - this.#list.size >= maxTunnels) block = "tunnels";
    else if ((this.#tokenInMs = bucket?.tryTake(1, nowMs) ?? 0) > 0) block = "rate";
    else {
      const lease = balancer.acquire(rule, first.applicant.wish);
      if (lease !== undefined) {
        this.#list.remove(first);
        first.applicant.admitted(lease, this.#heldMs(first, nowMs));
        return undefined;
      }
      // Given back.
      bucket?.take(-1, nowMs);
    }
    return balancer.roomFor(rule) === "none" ? "none" : block;
  }

  #bucketOf(perSecond: number, nowMs: number): TokenBucket | undefined {
    if (perSecond === this.#perSecond) return this.#bucket;
    this.#bucket = perSecond === 0 ? undefined : new TokenBucket(perSecond, nowMs, Math.min(perSecond, MOST_AT_ONCE));
    // An edit is no reason for a burst.
    if (this.#perSecond !== undefined) this.#bucket?.take(perSecond, nowMs);
    this.#perSecond = perSecond;
    this.#refusals.rateChanged();
    return this.#bucket;
  }

  /** How many may wait. Those that were held are more than a queue may have, and wait in it all the same. */
  #placesFor(block: Block | undefined): number {
    const { holdSize, queueSize } = this.rule.policy.admission;
    if (block === undefined) return Math.max(holdSize, queueSize);
    return block === "none" ? holdSize : queueSize;
  }

  #heldMs({ holdClockMs }: Waiter, nowMs: number): number {
    return this.#holdClock.readMs(nowMs) - holdClockMs;
  }

  #queuedMs(waiter: Waiter, nowMs: number): number {
    return nowMs - waiter.sinceMs - this.#heldMs(waiter, nowMs);
  }

  /** All of a line have the same time, so its first one is the first whose time is up. */
  #mayWaitMs(first: Waiter, nowMs: number): number {
    if (this.#block === "none") return this.#holdMs - this.#heldMs(first, nowMs);
    const { handshakeMs } = this.rule.policy;
    const queueMs = Math.min(this.#queueMs || this.#holdMs, handshakeMs || Number.POSITIVE_INFINITY);
    return queueMs - this.#queuedMs(first, nowMs);
  }

  #refuse(waiter: Waiter, why: AdmissionRefusal["why"], nowMs: number): void {
    this.#list.remove(waiter);
    const refusal = this.#refusals.make({
      why,
      policy: this.rule.policy.admission,
      heldMs: this.#heldMs(waiter, nowMs),
      queuedMs: this.#queuedMs(waiter, nowMs),
      waiting: this.#list.size,
      nowMs,
    });
    waiter.applicant.refused(refusal);
  }

  #leave(waiter: Waiter): void {
    if (this.#list.remove(waiter) && this.isEmpty) this.#settle(this.#around.now());
  }

  /** Sees to it that what has to happen next will. */
  #settle(nowMs: number): void {
    const { wheel, onDue, onEmpty } = this.#around;
    wheel.cancel(this.#timer);
    const { first } = this.#list;
    if (first === undefined) {
      this.#block = undefined;
      this.#holdClock = new HoldClock();
      this.#holdMs = 0;
      this.#queueMs = 0;
      onEmpty(this);
      return;
    }
    const tokenInMs = this.#block === "rate" ? this.#tokenInMs : LOOK_AGAIN_MS;
    const inMs = Math.min(LOOK_AGAIN_MS, tokenInMs, this.#mayWaitMs(first, nowMs));
    this.#timer = wheel.schedule(inMs, () => onDue(this));
  }
}
