import type { Socket } from "node:net";
import { FlowEnding, type EndingHost } from "./flow-ending.ts";
import { FlowGate, type FlowStop, type GateHost, type PongWatch, wantsGate, writeOwn } from "./flow-gate.ts";
import { FrameTracker } from "./frame-tracker.ts";
import type { ReadPage } from "./read-page.ts";
import type { RosterMember } from "./roster.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import type { FramePolicy } from "./types.ts";

// Why a source is not read: each reason comes and goes for itself.
const SINK_IS_FULL = 1;
const RATE = 2;
const BUDGET = 4;

/** What a flow needs from the tunnel it belongs to. */
export interface FlowOwner {
  /** The framing is lost, and nothing can be put between this flow's frames. */
  isOpaqueFor(flow: Flow): boolean;
  /** The source's Close frame has gone by, passed on or discarded; once per flow. */
  closeSeen(flow: Flow): void;
  /** The code of a Close of ours that went to this flow's source; undefined = none did. */
  codeToldTo(flow: Flow): number | undefined;
  /** The sink of this flow may still say Close: it has not yet, and its stream has not ended. */
  mayStillClose(flow: Flow): boolean;
  flowFinished(): void;
  /** The source sent what the policy does not allow; what is not allowed has not passed. */
  stopped(flow: Flow, why: FlowStop): void;
  /** The buffers of all tunnels are full, and this flow's share must go. */
  shed(): void;
}

export interface FlowEnds {
  readonly from: "client" | "backend";
  readonly source: Socket;
  readonly sink: Socket;
}

/** Knows what all flows together keep in memory. */
export interface Backlogs {
  /** So much more waits for the sink of a flow. */
  note(flow: Flow, addedBytes: number): void;
  /** The flow is over. */
  forget(flow: Flow): void;
}

/** What both flows of a tunnel share. */
export interface FlowSurroundings {
  readonly owner: FlowOwner;
  /** Shared by all flows of a relay. */
  readonly page: ReadPage;
  readonly wheel: TimerWheel;
  /** 0 to below 1; for the keys of frames to a backend. */
  readonly random: () => number;
  /** Those that negotiated extensions own, out of 0x70. */
  readonly reservedBits: number;
  readonly policy: FramePolicy;
  readonly backlogs: Backlogs | undefined;
}

/**
 * One direction of a tunnel: reads from the source and writes to the sink. Nearly always nothing stands between the two;
 * a gate does while frames may have to be kept back or put in, and an ending once the sink is to hear a last word.
 */
export class Flow implements EndingHost, GateHost, RosterMember {
  rosterPlace = -1;
  readonly from: "client" | "backend";
  readonly sink: Socket;
  readonly tracker: FrameTracker;
  readonly wheel: TimerWheel;
  /** As read from the source, Pongs to Pings of ours not counted. */
  bytes = 0;
  /** When bytes that count last came from the source; at first, when the tunnel was joined. On the wheel's clock. */
  lastActiveAtMs: number;
  /** When the sink last took what had waited, or reading went on after a rest. */
  movedAtMs = 0;
  closeCode: number | undefined = undefined;
  spokenCode: number | undefined = undefined;
  isMidFrame = false;
  /** The source's stream has ended, by FIN or with its socket. */
  isSourceDone = false;

  readonly #source: Socket;
  readonly #owner: FlowOwner;
  readonly #page: ReadPage;
  readonly #random: () => number;
  readonly #backlogs: Backlogs | undefined;
  #policy: FramePolicy;
  #gate: FlowGate | undefined = undefined;
  #ending: FlowEnding | undefined = undefined;
  #isCloseNoted = false;
  /** Reasons for which the source is not read. */
  #rests = 0;
  /** Memory held by what waits for the sink; may be too much once the sink has taken it all. */
  #keptBytes = 0;
  /** When anything came, be it a Pong to a Ping of ours. */
  #heardAtMs = 0;
  #swallowedBytes = 0;

  constructor(ends: FlowEnds, around: FlowSurroundings) {
    this.from = ends.from;
    this.tracker = new FrameTracker(ends.from, around.reservedBits);
    this.sink = ends.sink;
    this.wheel = around.wheel;
    this.lastActiveAtMs = around.wheel.nowMs;
    this.#source = ends.source;
    this.#owner = around.owner;
    this.#page = around.page;
    this.#random = around.random;
    this.#backlogs = around.backlogs;
    this.#policy = around.policy;
    if (wantsGate(around.policy, ends.from)) this.#gate = new FlowGate(this, around.policy);
  }

  get isOpen(): boolean {
    return this.#ending?.isOpen ?? true;
  }

  get isSeeking(): boolean {
    return this.#ending?.isSeeking ?? false;
  }

  get isTold(): boolean {
    return this.#ending?.isTold ?? false;
  }

  get isFinished(): boolean {
    return this.#ending?.isFinished ?? false;
  }

  /** The source is not read at the moment. */
  get isResting(): boolean {
    return this.#rests !== 0;
  }

  /** When anything last came from the source: a sign of life. */
  get heardAtMs(): number {
    return Math.max(this.lastActiveAtMs, this.#heardAtMs);
  }

  /** Everything that came from the source. */
  get heardBytes(): number {
    return this.bytes + this.#swallowedBytes;
  }

  /** What this flow keeps in memory, about; 0 when nothing waits. */
  get waitingBytes(): number {
    if (this.sink.writableLength === 0 || this.sink.destroyed) this.#keptBytes = 0;
    return this.#keptBytes + (this.#gate?.waitingBytes ?? 0);
  }

  get isOpaque(): boolean {
    return this.#owner.isOpaqueFor(this);
  }

  get codeToldToSource(): number | undefined {
    return this.#owner.codeToldTo(this);
  }

  get maySinkStillClose(): boolean {
    return this.#owner.mayStillClose(this);
  }

  /** For the mask of a frame of ours; a client gets it unmasked (RFC 6455 5.1). */
  newKey(): number | undefined {
    return this.from === "client" ? Math.floor(this.#random() * 2 ** 32) : undefined;
  }

  /** Takes what the source has just read into the page. */
  read(size: number): void {
    this.push(this.#page.take(size));
  }

  /** Takes bytes of the source, which may be others after it returns. The hot path. */
  push(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.#gate === undefined && this.#ending === undefined) {
      this.lastActiveAtMs = this.wheel.nowMs;
      this.tracker.track(chunk);
      this.forward(chunk);
    } else this.#pushWithCare(chunk);
    if (this.tracker.hasClose && !this.#isCloseNoted) this.#noteClose();
  }

  forward(chunk: Uint8Array): void {
    const keptBytes = this.#page.writeTo(this.sink, chunk);
    if (keptBytes !== 0) this.#noteBacklog(keptBytes);
  }

  /** Lets the source flow, unless it has to rest. */
  startReading(): void {
    if (this.#rests === 0) this.#source.resume();
  }

  sinkDrained(): void {
    this.#keptBytes = 0;
    this.movedAtMs = this.wheel.nowMs;
    this.#goOn(SINK_IS_FULL);
  }

  /** The budget of all flows wants no more to be read. */
  hold(): void {
    if (this.isOpen) this.#rest(BUDGET);
  }

  release(): void {
    this.#goOn(BUDGET);
  }

  shed(): void {
    this.#owner.shed();
  }

  holdForRate(): void {
    this.#rest(RATE);
  }

  goOnForRate(): void {
    this.#goOn(RATE);
  }

  passedLater(): void {
    this.lastActiveAtMs = this.wheel.nowMs;
    if (this.tracker.hasClose && !this.#isCloseNoted) this.#noteClose();
    this.#dropIdleGate();
  }

  swallowed(size: number): void {
    this.bytes -= size;
    this.#swallowedBytes += size;
  }

  stopped(why: FlowStop): void {
    this.#owner.stopped(this, why);
  }

  /** Follows another policy from now on. */
  setPolicy(policy: FramePolicy): void {
    if (policy === this.#policy) return;
    this.#policy = policy;
    if (!this.isOpen) return;
    if (this.#gate !== undefined) this.#gate.setPolicy(policy);
    else if (wantsGate(policy, this.from)) this.#gate = new FlowGate(this, policy);
    this.#dropIdleGate();
  }

  /** Puts a control frame of ours between two frames, now or as soon as one ends; `onFlushed` when it has left. */
  inject(frame: Uint8Array, onFlushed: () => void): void {
    if (!this.isOpen || this.isOpaque || this.tracker.hasClose) return;
    if (this.tracker.isAtFrameBoundary) writeOwn(this.sink, frame, onFlushed);
    else this.#needGate().injectBehindFrame(frame, onFlushed);
  }

  /** From now on the Pong that the watch waits for is kept back. */
  expectPong(watch: PongWatch): void {
    if (this.isOpen && !this.tracker.isOpaque) this.#needGate().expectPong(watch);
  }

  /** A planned end: says Close at the next message boundary, for want of one at a frame boundary. */
  seek(code: number | undefined): void {
    if (!this.isOpen) return;
    const left = this.#takeGateAway();
    this.#needEnding().seek(code);
    this.#pushIntoEnding(left);
  }

  /** Says Close here and now if a frame can be written, and lingers for the answer; else FIN. */
  tell(code: number | undefined): void {
    const left = this.#takeGateAway();
    this.#needEnding().tell(code);
    this.#pushIntoEnding(left);
  }

  /** The source has sent all it will; the sink learns it by FIN, with `planned` words first if an end waits for them. */
  passFin(): void {
    for (const bytes of this.#takeGateAway()) {
      this.tracker.track(bytes);
      this.forward(bytes);
    }
    if (this.tracker.hasClose && !this.#isCloseNoted) this.#noteClose();
    this.#needEnding().passFin();
  }

  /** FIN to the sink, nothing after it; the source is read and discarded from here on. */
  finish(): void {
    const left = this.#takeGateAway();
    this.#needEnding().finish();
    this.#pushIntoEnding(left);
  }

  /** An open flow gets so much more time, then FIN. A second limit counts only if it is a smaller one. */
  limit(ms: number): void {
    this.#needEnding().limit(ms);
  }

  finished(): void {
    this.#owner.flowFinished();
  }

  /** Both sockets are closed: nothing waits any more. */
  leave(): void {
    this.#backlogs?.forget(this);
  }

  readOn(): void {
    if (this.#rests === 0) return;
    this.#rests = 0;
    if (!this.#source.destroyed) this.#source.resume();
  }

  #pushWithCare(chunk: Uint8Array): void {
    const ending = this.#ending;
    this.#heardAtMs = this.wheel.nowMs;
    if (ending !== undefined && !ending.isOpen) ending.push(chunk);
    else if (this.#gate !== undefined) {
      if (this.#gate.push(chunk)) this.lastActiveAtMs = this.#heardAtMs;
      this.#dropIdleGate();
    } else {
      this.lastActiveAtMs = this.#heardAtMs;
      this.tracker.track(chunk);
      this.forward(chunk);
    }
  }

  #noteClose(): void {
    this.#isCloseNoted = true;
    if (this.isOpen) this.closeCode = this.tracker.closeCode;
    this.#owner.closeSeen(this);
  }

  #noteBacklog(keptBytes: number): void {
    this.#keptBytes += keptBytes;
    this.#backlogs?.note(this, keptBytes);
    if (this.sink.writableNeedDrain || this.sink.destroyed) this.#rest(SINK_IS_FULL);
  }

  #rest(reason: number): void {
    if (this.#rests === 0) this.#source.pause();
    this.#rests |= reason;
  }

  #goOn(reason: number): void {
    if ((this.#rests & reason) === 0) return;
    this.#rests &= ~reason;
    if (this.#rests !== 0) return;
    this.movedAtMs = this.wheel.nowMs;
    if (!this.#source.destroyed) this.#source.resume();
  }

  #needGate(): FlowGate {
    this.#gate ??= new FlowGate(this, this.#policy);
    return this.#gate;
  }

  #dropIdleGate(): void {
    if (this.#gate?.isIdle === true) this.#gate = undefined;
  }

  /** What it held belongs to the source's bytes. */
  #takeGateAway(): readonly Uint8Array[] {
    const left = this.#gate?.close() ?? [];
    this.#gate = undefined;
    return left;
  }

  #needEnding(): FlowEnding {
    this.#ending ??= new FlowEnding(this);
    return this.#ending;
  }

  #pushIntoEnding(left: readonly Uint8Array[]): void {
    for (const bytes of left) this.#ending?.push(bytes);
    if (this.tracker.hasClose && !this.#isCloseNoted) this.#noteClose();
  }
}
