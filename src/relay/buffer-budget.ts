import { type BufferHolder, newStanding, watch } from "./buffer-holder.ts";
import { Roster } from "./roster.ts";
import { SizeClasses } from "./size-classes.ts";
import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";

/** Who waits is looked at so often, while somebody does. */
const SWEEP_MS = 100;
/** Growth of so much of the limit since the last look is a reason for the next one. */
const EARLY_SWEEP_SHARE = 1 / 8;
/** Below this share of the limit the budget has recovered. */
const RECOVERED_SHARE = 0.9;
/** From this multiple of the limit on, every flow that waits is held. */
const HOLD_ALL_AT = 1.25;
/** Beyond this multiple of the limit the fattest are shed at once, moving or not. */
const SHED_BEYOND = 1.5;
/** While the budget is exhausted, whoever has not moved for so long may be shed. */
const STALLED_MS = 30_000;
/** Of stalled ones, so much of the limit is shed each second, and at least one. */
const SHED_SHARE = 1 / 40;
const SHED_EVERY_MS = 1_000;
/** Reads of few bytes for a sink that stalls cost far more memory than bytes: no flow needs more than this. */
const PER_FLOW_BYTES = 1024 * 1024;

export interface BufferBudgetOptions {
  /** For all flows together. */
  readonly limitBytes: number;
  /** For one flow, whatever the sum is. Default 1 MiB. */
  readonly perFlowBytes?: number;
  readonly wheel: TimerWheel;
  /** The wheel's clock. */
  readonly now: () => number;
}

/**
 * Bounds what waits in all tunnels together for sinks that are slow. Above the limit the budget is exhausted until the
 * sum is below nine tenths of it, and flows are held, the fattest first: those that are not held have together no more
 * than what is left up to a quarter above the limit, so the slim ones live on and growth runs into a wall. Far above the
 * limit (each of thousands of flows can read one page before it is known to wait) the fattest are shed; so are, after
 * half a minute, those that have not moved: readers that stall cannot lock everyone else out for ever.
 *
 * Nothing is scheduled while nobody waits. A flow that waits costs a glance ten times a second.
 */
export class BufferBudget {
  readonly limitBytes: number;
  readonly #perFlowBytes: number;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  readonly #waiting = new Roster<BufferHolder>();
  readonly #classes = new SizeClasses();
  #timer: TimerHandle | undefined = undefined;
  #isLooking = false;
  #usedBytes = 0;
  /** Of those, what belongs to flows that are shed. */
  #leavingBytes = 0;
  /** Estimate, since the last look. */
  #grownBytes = 0;
  #maxGrowthBytes: number;
  #isSomeoneHeavy = false;
  #heldFlows = 0;
  #shedTunnels = 0;
  #exhaustedAtMs: number | undefined = undefined;
  #nextShedAtMs = 0;

  constructor({ limitBytes, perFlowBytes, wheel, now }: BufferBudgetOptions) {
    this.limitBytes = limitBytes;
    this.#perFlowBytes = perFlowBytes ?? PER_FLOW_BYTES;
    this.#wheel = wheel;
    this.#now = now;
    this.#maxGrowthBytes = limitBytes;
  }

  /** No more tunnels should begin. */
  get isExhausted(): boolean {
    return this.#exhaustedAtMs !== undefined;
  }

  /** What waits, as of the last look. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get heldFlows(): number {
    return this.#heldFlows;
  }

  /** Tunnels that were ended for want of memory, so far. */
  get shedTunnels(): number {
    return this.#shedTunnels;
  }

  /**
   * To be called for each write that has to wait; next to free for a flow that is known to. `addedBytes`: by how much
   * its waiting bytes have grown. May hold flows, this one among them; sheds none.
   */
  note(holder: BufferHolder, addedBytes = 0): void {
    if (this.#waiting.has(holder)) this.#grownBytes += addedBytes;
    else {
      this.#waiting.add(holder);
      this.#grownBytes += holder.waitingBytes;
      this.#lookLater();
    }
    if (this.#grownBytes > this.#maxGrowthBytes && !this.#isLooking) this.#look();
  }

  /** A flow's memory is gone: its sink is closed. It is released if it was held. */
  forget(holder: BufferHolder): void {
    if (!this.#waiting.has(holder)) return;
    this.#drop(holder);
    if (this.#waiting.size === 0) this.#rest();
  }

  #lookLater(): void {
    if (this.#timer?.isPending === true) return;
    this.#timer = this.#wheel.schedule(SWEEP_MS, () => {
      this.#look();
      this.#shed();
      if (this.#waiting.size > 0) this.#lookLater();
    });
  }

  #look(): void {
    this.#isLooking = true;
    this.#sum();
    const nowMs = this.#now();
    if (this.#usedBytes > this.limitBytes) this.#exhaustedAtMs ??= nowMs;
    else if (this.#usedBytes < this.limitBytes * RECOVERED_SHARE) this.#exhaustedAtMs = undefined;
    this.#grownBytes = 0;
    this.#maxGrowthBytes = Math.max(this.limitBytes * EARLY_SWEEP_SHARE, this.limitBytes - this.#usedBytes);
    if (this.isExhausted || this.#isSomeoneHeavy || this.#heldFlows > 0) this.#divide(nowMs);
    this.#isLooking = false;
    if (this.#waiting.size === 0) this.#rest();
  }

  #sum(): void {
    let used = 0;
    let leaving = 0;
    this.#isSomeoneHeavy = false;
    this.#classes.clear();
    for (const holder of this.#waiting) {
      const bytes = holder.waitingBytes;
      if (bytes <= 0) {
        this.#drop(holder);
        continue;
      }
      used += bytes;
      if (bytes > this.#perFlowBytes) this.#isSomeoneHeavy = true;
      if (holder.budgetStanding?.isShed === true) leaving += bytes;
      else this.#classes.add(bytes);
    }
    this.#usedBytes = used;
    this.#leavingBytes = leaving;
  }

  /** Who is held and who may go on: the slimmest, as far as the room goes. */
  #divide(nowMs: number): void {
    const room = Math.max(0, this.limitBytes * HOLD_ALL_AT - this.#usedBytes);
    this.#classes.open(this.isExhausted ? room : Infinity);
    for (const holder of this.#waiting) {
      const bytes = holder.waitingBytes;
      const standing = (holder.budgetStanding ??= newStanding(holder, nowMs));
      if (standing.isShed) continue;
      watch(standing, holder, nowMs);
      standing.isHeavy = bytes > (standing.isHeavy ? this.#perFlowBytes / 2 : this.#perFlowBytes);
      const fits = this.#classes.fits(bytes);
      this.#setHeld(holder, fits && !standing.isHeavy ? "free" : "held");
    }
  }

  /** On the timer only: never in the middle of a flow's write. */
  #shed(): void {
    if (this.#exhaustedAtMs === undefined) return;
    const nowMs = this.#now();
    const staying = this.#usedBytes - this.#leavingBytes;
    const excess = staying - this.limitBytes * SHED_BEYOND;
    if (excess > 0) return this.#shedFattest(excess, [...this.#waiting]);
    const isTime = nowMs >= this.#nextShedAtMs && nowMs - this.#exhaustedAtMs >= STALLED_MS;
    const surplus = staying - this.limitBytes * RECOVERED_SHARE;
    if (!isTime || surplus <= 0) return;
    this.#nextShedAtMs = nowMs + SHED_EVERY_MS;
    const stalled = [...this.#waiting].filter(({ budgetStanding: standing }) => {
      return standing !== undefined && nowMs - standing.movedAtMs >= STALLED_MS;
    });
    this.#shedFattest(Math.min(surplus, this.limitBytes * SHED_SHARE), stalled);
  }

  #shedFattest(bytes: number, among: readonly BufferHolder[]): void {
    const nowMs = this.#now();
    const fattestFirst = among
      .filter(({ budgetStanding }) => budgetStanding?.isShed !== true)
      .toSorted((a, b) => b.waitingBytes - a.waitingBytes);
    let left = bytes;
    for (const holder of fattestFirst) {
      if (left <= 0) return;
      // An end before it may have taken this one with it: the other flow of its tunnel.
      if (!this.#waiting.has(holder)) continue;
      left -= holder.waitingBytes;
      this.#leavingBytes += holder.waitingBytes;
      this.#shedTunnels += 1;
      this.#setHeld(holder, "free");
      (holder.budgetStanding ??= newStanding(holder, nowMs)).isShed = true;
      holder.shed();
    }
  }

  #setHeld(holder: BufferHolder, want: "held" | "free"): void {
    const standing = holder.budgetStanding;
    if (standing === undefined || standing.isHeld === (want === "held")) return;
    standing.isHeld = want === "held";
    this.#heldFlows += standing.isHeld ? 1 : -1;
    if (standing.isHeld) return holder.hold();
    holder.release();
    // That reading goes on says nothing of the sink.
    standing.lastMoveMs = holder.movedAtMs;
  }

  #drop(holder: BufferHolder): void {
    this.#waiting.delete(holder);
    this.#setHeld(holder, "free");
    holder.budgetStanding = undefined;
  }

  /** Nobody waits: as at the beginning. */
  #rest(): void {
    this.#wheel.cancel(this.#timer);
    this.#usedBytes = 0;
    this.#leavingBytes = 0;
    this.#grownBytes = 0;
    this.#maxGrowthBytes = this.limitBytes;
    this.#exhaustedAtMs = undefined;
  }
}
