import { encodePing } from "./control-frames.ts";
import type { PongWatch } from "./gate-host.ts";
import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";
import type { RelayObserver } from "./types.ts";

/** Tunnels that were opened together are not asked together: each asks up to this share of the silence earlier. */
const EARLIER_SHARE = 0.1;
/** Those that a changed policy finds overdue are asked over this share of the silence. */
const OVERDUE_SPREAD_SHARE = 0.2;
/**
 * A Ping that has left us may still wait in the kernels behind other bytes for a slow peer: so many per second are
 * thought to be the slowest that lives, and no more than this lies there.
 */
const SLOWEST_BYTES_PER_SECOND = 64 * 1024;
const MOST_BYTES_UNDER_WAY = 8 * 1024 * 1024;

/** Who takes no byte and says none for so many timeouts, and no less than this, is dead although it cannot be asked. */
const STALL_TIMEOUTS = 10;
const LEAST_STALL_MS = 120_000;

/** One direction of the tunnel, as far as keepalive uses it. */
interface KeepaliveFlow {
  readonly isOpen: boolean;
  readonly isOpaque: boolean;
  readonly tracker: { readonly hasClose: boolean; readonly hasUnansweredPing: boolean };
  readonly sink: { readonly writableLength: number };
  /** What its sink has taken so far. */
  readonly takenBytes: number;
  /** All that came from its source, and when it last did. */
  readonly heardBytes: number;
  readonly heardAtMs: number;
  readonly movedAtMs: number;
  readonly isResting: boolean;
  newKey(): number | undefined;
  inject(frame: Uint8Array, onFlushed: () => void): void;
  expectPong(watch: PongWatch): void;
}

export interface KeepaliveLine {
  readonly side: "client" | "backend";
  /** The flow that reads from the peer. */
  readonly hears: KeepaliveFlow;
  /** The flow that writes to it. */
  readonly speaks: KeepaliveFlow;
  /** It did not give a sign of life in time. */
  readonly onDead: () => void;
}

/** What all tunnels of a relay share. */
export interface KeepaliveSurroundings {
  readonly wheel: TimerWheel;
  /** The clock of the wheel, exact. */
  readonly now: () => number;
  /** 32 bits at the start of each Ping of ours: what begins otherwise is somebody else's. */
  readonly tag: number;
  readonly observer: RelayObserver | undefined;
}

/**
 * Asks one peer of a tunnel whether it is there, when it has been silent. None is asked while a Ping of the other peer
 * waits for its answer, since only the latest need be answered (RFC 6455 5.5.3): that answer will do as well. Any byte
 * is a sign of life. The time for it runs from the moment the Ping has left, and not while we do not read, nor while the
 * peer is slow to take what is sent to it.
 */
export class Keepalive implements PongWatch {
  /** For the last answer to a Ping of ours; undefined before the first. */
  roundTripMs: number | undefined = undefined;
  readonly #around: KeepaliveSurroundings;
  readonly #line: KeepaliveLine;
  /** This tunnel's share of EARLIER_SHARE, 0 to 1. */
  readonly #lot: number;
  #silenceMs = 0;
  #timeoutMs = 0;
  #timer: TimerHandle | undefined = undefined;
  /** Of our Pings, which carry their number; and the number of the last one that was answered. */
  #count = 0;
  #answeredCount = 0;
  /** When our last Ping left; undefined while it waits, and when it has been answered. */
  #leftAtMs: number | undefined = undefined;
  /** A Ping of ours waits to leave. */
  #isLeaving = false;
  /** When the peer was last known to live: what had been heard of it, and written to it, by then. */
  #knownBytes = 0;
  #spokenBytes = 0;
  /** When an answer began to be awaited: the time, and what had been heard by then. */
  #askedAtMs = 0;
  #heardBytes = 0;
  /** When the peer was last seen to take anything, and how much it had taken by then. */
  #tookAtMs = 0;
  #takenBytes = -1;

  constructor(line: KeepaliveLine, lot: number, around: KeepaliveSurroundings) {
    this.#line = line;
    this.#lot = lot;
    this.#around = around;
  }

  /** Sets both times anew, in milliseconds. @param silenceMs 0 = nobody is asked. */
  set(silenceMs: number, timeoutMs: number): void {
    if (silenceMs === this.#silenceMs && timeoutMs === this.#timeoutMs) return;
    this.#silenceMs = silenceMs;
    this.#timeoutMs = timeoutMs;
    // A changed policy may find thousands silent for too long: one turn of the event loop shall not ask them all.
    this.#watch(silenceMs * OVERDUE_SPREAD_SHARE * this.#lot);
  }

  /** For good. */
  stop(): void {
    this.#silenceMs = 0;
    this.#around.wheel.cancel(this.#timer);
  }

  take(payload: Uint8Array): boolean {
    if (payload.length !== 8) return false;
    const words = new DataView(payload.buffer, payload.byteOffset, 8);
    const number = words.getUint32(4);
    // Each once: whoever answers again, or what nobody has asked, is heard by the other side as it would be without us.
    if (words.getUint32(0) !== this.#around.tag || number <= this.#answeredCount || number > this.#count) return false;
    this.#answeredCount = number;
    if (number === this.#count) this.#answered();
    return true;
  }

  get isWaiting(): boolean {
    return this.#answeredCount !== this.#count;
  }

  #answered(): void {
    if (this.#leftAtMs === undefined) return;
    this.roundTripMs = Math.max(this.#around.now() - this.#leftAtMs, 0);
    this.#leftAtMs = undefined;
    this.#around.observer?.pingAnswered(this.#line.side, this.roundTripMs);
    this.#watch();
  }

  /** Waits for the peer's next silence. */
  #watch(whenOverdueMs = 0): void {
    this.#around.wheel.cancel(this.#timer);
    if (this.#silenceMs === 0) return;
    const { hears, speaks } = this.#line;
    if (hears.heardBytes !== this.#knownBytes) {
      this.#knownBytes = hears.heardBytes;
      this.#spokenBytes = speaks.heardBytes;
    }
    const leftMs = this.#leftOfSilenceMs();
    this.#arm(leftMs > 0 ? leftMs : whenOverdueMs, () => this.#check());
  }

  /** Of the silence after which the peer is asked. */
  #leftOfSilenceMs(): number {
    const silenceMs = this.#silenceMs * (1 - EARLIER_SHARE * this.#lot);
    return this.#line.hears.heardAtMs + silenceMs - this.#around.now();
  }

  /** The tunnel ends already; its end has times of its own. */
  #isOver(): boolean {
    const { hears, speaks } = this.#line;
    return !hears.isOpen || !speaks.isOpen || hears.tracker.hasClose || speaks.tracker.hasClose;
  }

  #check(): void {
    const { hears, speaks } = this.#line;
    if (this.#isOver() || hears.isOpaque) return;
    if (this.#leftOfSilenceMs() > 0) this.#watch();
    else if (speaks.tracker.hasUnansweredPing) this.#awaitLife();
    else this.#ask();
  }

  #ask(): void {
    const { hears, speaks, side } = this.#line;
    // One that has not left yet will be followed by its own wait.
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#count += 1;
    hears.expectPong(this);
    const payload = new Uint8Array(8);
    const words = new DataView(payload.buffer);
    words.setUint32(0, this.#around.tag);
    words.setUint32(4, this.#count);
    this.#heardBytes = hears.heardBytes;
    this.#takenBytes = -1;
    // Until it has left; then the time for its answer begins.
    this.#arm(this.#timeoutMs, () => this.#judge());
    speaks.inject(encodePing(payload, speaks.newKey()), () => {
      this.#isLeaving = false;
      this.#leftAtMs = this.#around.now();
      this.#around.observer?.pingSent(side);
      if (this.#silenceMs > 0 && speaks.isOpen) this.#awaitLife();
    });
  }

  #awaitLife(): void {
    const { hears, speaks } = this.#line;
    this.#askedAtMs = this.#around.now();
    this.#heardBytes = hears.heardBytes;
    const underWay = Math.min(speaks.heardBytes - this.#spokenBytes, MOST_BYTES_UNDER_WAY);
    const allowanceMs = Math.floor(underWay / SLOWEST_BYTES_PER_SECOND) * 1_000;
    this.#arm(this.#timeoutMs + allowanceMs, () => this.#judge());
  }

  #judge(): void {
    const { hears, speaks, onDead } = this.#line;
    if (this.#isOver()) return;
    if (hears.heardBytes !== this.#heardBytes) return this.#watch();
    if (speaks.sink.writableLength > 0 && !hears.isResting) return this.#judgeStall();
    // What it could have said lies where we do not look, or the frame under way has no end yet to ask behind.
    if (hears.isResting || this.#isLeaving) return this.#arm(this.#timeoutMs, () => this.#judge());
    const movedAtMs = Math.max(this.#askedAtMs, hears.movedAtMs, speaks.movedAtMs);
    const leftMs = movedAtMs + this.#timeoutMs - this.#around.now();
    if (leftMs > 0) this.#arm(leftMs, () => this.#judge());
    else onDead();
  }

  /** A peer that is slow takes something now and then. One that is gone takes nothing, and what waits hides it from us. */
  #judgeStall(): void {
    const nowMs = this.#around.now();
    const { takenBytes } = this.#line.speaks;
    if (takenBytes !== this.#takenBytes) {
      this.#takenBytes = takenBytes;
      this.#tookAtMs = nowMs;
    }
    const stallMs = Math.max(STALL_TIMEOUTS * this.#timeoutMs, LEAST_STALL_MS);
    if (nowMs - this.#tookAtMs >= stallMs) this.#line.onDead();
    else this.#arm(this.#timeoutMs, () => this.#judge());
  }

  #arm(delayMs: number, callback: () => void): void {
    this.#around.wheel.cancel(this.#timer);
    this.#timer = this.#around.wheel.schedule(delayMs, callback);
  }
}
