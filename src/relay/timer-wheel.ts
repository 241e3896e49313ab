/** A scheduled callback; good for `cancel` only. */
export interface TimerHandle {
  /** Still to fire: neither fired nor cancelled. */
  readonly isPending: boolean;
}

export interface TimerWheelOptions {
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** How late a timer may be, and how exact the coarse clock is. Default 50. */
  readonly tickMs?: number;
  /** Slots of the wheel; a delay beyond `slots` ticks costs a glance per turn. Default 1024. */
  readonly slots?: number;
}

/** Links of a ring: a slot's own link is where its list begins and ends, so unlinking needs no knowledge of the slot. */
interface Link {
  previous: Link;
  next: Link;
}

class Entry implements Link, TimerHandle {
  previous: Link = this;
  next: Link = this;
  isPending = true;
  readonly dueTick: number;
  #callback: (() => void) | undefined;

  constructor(dueTick: number, callback: () => void) {
    this.dueTick = dueTick;
    this.#callback = callback;
  }

  /** Gives the callback away: whoever still holds the handle holds nothing by it. */
  take(): (() => void) | undefined {
    const callback = this.#callback;
    this.#callback = undefined;
    return callback;
  }
}

function emptyRing(): Link {
  const link = {} as Link;
  link.previous = link;
  link.next = link;
  return link;
}

function append(ring: Link, entry: Entry): void {
  entry.previous = ring.previous;
  entry.next = ring;
  ring.previous.next = entry;
  ring.previous = entry;
}

/**
 * Also cuts the entry's own links. A dead entry that V8 has moved to its old generation would otherwise keep its
 * neighbour alive, and that one the next, until every timer's tunnel of the last minutes is old and waits for a full
 * collection.
 */
function unlink(entry: Entry): void {
  entry.previous.next = entry.next;
  entry.next.previous = entry.previous;
  entry.previous = entry;
  entry.next = entry;
}

/**
 * One timer for all tunnels and handshakes: a hashed wheel. Schedule and cancel cost the same however many there are.
 * A callback never comes early and, while the event loop is free, less than two ticks late: it is due at the end of a tick, and
 * the wheel may be looked at anywhere in the next. `start` drives it by one
 * unref'ed interval that rests while nothing is scheduled and nobody holds the clock; a test calls `advance` instead.
 */
export class TimerWheel {
  readonly tickMs: number;
  readonly #now: () => number;
  readonly #ring: readonly Link[];
  /** All ticks up to this one have been served. */
  #tick: number;
  #nowMs: number;
  #size = 0;
  #holders = 0;
  #isStarted = false;
  #interval: NodeJS.Timeout | undefined = undefined;

  constructor(options: TimerWheelOptions) {
    this.#now = options.now;
    this.tickMs = options.tickMs ?? 50;
    this.#ring = Array.from({ length: options.slots ?? 1024 }, emptyRing);
    this.#nowMs = options.now();
    this.#tick = Math.floor(this.#nowMs / this.tickMs);
  }

  /** The coarse clock: as exact as a tick, at no cost. Stands still while the wheel rests: see `holdClock`. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers still to fire. */
  get size(): number {
    return this.#size;
  }

  /** Calls back once, when `delayMs` have passed (below 0 counts as 0), at the earliest on the next tick. */
  schedule(delayMs: number, callback: () => void): TimerHandle {
    const nowMs = this.#now();
    const dueTick = Math.ceil((nowMs + Math.max(delayMs, 0)) / this.tickMs);
    const entry = new Entry(Math.max(dueTick, Math.floor(nowMs / this.tickMs) + 1, this.#tick + 1), callback);
    this.#size += 1;
    append(this.#slotOf(entry.dueTick), entry);
    this.#wake();
    return entry;
  }

  /** Forgets a timer; fired, cancelled and undefined ones are no harm. */
  cancel(handle: TimerHandle | undefined): void {
    if (!(handle instanceof Entry) || !handle.isPending) return;
    handle.isPending = false;
    this.#size -= 1;
    unlink(handle);
    handle.take();
  }

  /** Keeps the coarse clock going although nothing is scheduled, until `releaseClock`; each call counts. */
  holdClock(): void {
    this.#holders += 1;
    this.#wake();
  }

  releaseClock(): void {
    this.#holders = Math.max(this.#holders - 1, 0);
  }

  start(): void {
    this.#isStarted = true;
    this.#wake();
  }

  /** Stops the interval; what is scheduled stays and waits for `start`. */
  stop(): void {
    this.#isStarted = false;
    this.#rest();
  }

  /** Fires everything due at `nowMs`, in order unless it leaps over a whole turn; a time before the last does nothing. */
  advance(nowMs: number): void {
    if (nowMs <= this.#nowMs) return;
    this.#nowMs = nowMs;
    const target = Math.floor(nowMs / this.tickMs);
    // After a jump of more than a turn one turn sees every slot.
    if (target - this.#tick > this.#ring.length) this.#tick = target - this.#ring.length;
    while (this.#tick < target) {
      this.#tick += 1;
      this.#fire(this.#slotOf(this.#tick), target);
    }
  }

  #slotOf(tick: number): Link {
    return this.#ring[tick % this.#ring.length] as Link;
  }

  #fire(slot: Link, target: number): void {
    if (slot.next === slot) return;
    // Moved to a ring of their own first: a callback may schedule into this slot or cancel its neighbour.
    const due = emptyRing();
    for (let link = slot.next; link !== slot; ) {
      const entry = link as Entry;
      link = link.next;
      if (entry.dueTick > target) continue;
      unlink(entry);
      append(due, entry);
    }
    while (due.next !== due) {
      const entry = due.next as Entry;
      const callback = entry.take();
      this.cancel(entry);
      callback?.();
    }
  }

  #onInterval(): void {
    this.advance(this.#now());
    if (this.#size === 0 && this.#holders === 0) this.#rest();
  }

  #wake(): void {
    if (!this.#isStarted || this.#interval !== undefined || (this.#size === 0 && this.#holders === 0)) return;
    this.#interval = setInterval(() => this.#onInterval(), this.tickMs).unref();
    // The coarse clock stood still while the wheel rested.
    this.advance(this.#now());
  }

  #rest(): void {
    clearInterval(this.#interval);
    this.#interval = undefined;
  }
}
