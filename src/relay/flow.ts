import { FlowEnding, type EndingHost } from "./flow-ending.ts";
import { FlowGate, wantsGate } from "./flow-gate.ts";
import { type FlowStop, type GateHost, type PongWatch, writeOwn } from "./gate-host.ts";
import type { FlowOwner } from "./flow-owner.ts";
import { FrameTracker } from "./frame-tracker.ts";
import { PacedPipe, type PacedPipeEnds, type PacedPipeSurroundings } from "./paced-pipe.ts";
import type { FramePolicy } from "./types.ts";

const NOTHING_LEFT: readonly Uint8Array[] = [];

export interface FlowEnds extends PacedPipeEnds {
  readonly from: "client" | "backend";
}

/** What both flows of a tunnel share. */
export interface FlowSurroundings extends PacedPipeSurroundings {
  readonly owner: FlowOwner<Flow>;
  /** 0 to below 1; for the keys of frames to a backend. */
  readonly random: () => number;
  /** Those that negotiated extensions own, out of 0x70. */
  readonly reservedBits: number;
  readonly policy: FramePolicy;
}

/**
 * One direction of a tunnel: reads from the source and writes to the sink. Nearly always nothing stands between the two;
 * a gate does while frames may have to be kept back or put in, and an ending once the sink is to hear a last word.
 */
export class Flow extends PacedPipe implements EndingHost, GateHost {
  readonly from: "client" | "backend";
  readonly tracker: FrameTracker;
  /** As read from the source, Pongs to Pings of ours not counted. */
  bytes = 0;
  /** When bytes that count last came from the source; at first, when the tunnel was joined. On the wheel's clock. */
  lastActiveAtMs: number;
  closeCode: number | undefined = undefined;
  spokenCode: number | undefined = undefined;
  isMidFrame = false;
  /** The source's stream has ended, by FIN or with its socket. */
  isSourceDone = false;

  readonly #owner: FlowOwner<Flow>;
  readonly #random: () => number;
  #policy: FramePolicy;
  #gate: FlowGate | undefined = undefined;
  #ending: FlowEnding | undefined = undefined;
  #isCloseNoted = false;
  /** When anything came, be it a Pong to a Ping of ours. */
  #heardAtMs = 0;
  #swallowedBytes = 0;

  constructor(ends: FlowEnds, around: FlowSurroundings) {
    super(ends, around);
    this.from = ends.from;
    this.tracker = new FrameTracker(ends.from, around.reservedBits);
    this.lastActiveAtMs = around.wheel.nowMs;
    this.#owner = around.owner;
    this.#random = around.random;
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

  /** When anything last came from the source: a sign of life. */
  get heardAtMs(): number {
    return Math.max(this.lastActiveAtMs, this.#heardAtMs);
  }

  /** Everything that came from the source. */
  get heardBytes(): number {
    return this.bytes + this.#swallowedBytes;
  }

  override get waitingBytes(): number {
    return super.waitingBytes + (this.#gate?.waitingBytes ?? 0);
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
    this.push(this.page.take(size));
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

  shed(): void {
    this.#owner.shed();
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
  seek(code: number | undefined, reason = ""): void {
    if (!this.isOpen) return;
    const left = this.#takeGateAway();
    this.#needEnding().seek(code, reason);
    this.#pushIntoEnding(left);
  }

  /** Says Close here and now if a frame can be written, and lingers for the answer; else FIN. */
  tell(code: number | undefined): void {
    const left = this.#takeGateAway();
    this.#needEnding().tell(code);
    this.#pushIntoEnding(left);
  }

  /** The source has sent all it will; the sink learns it by FIN, with a Close before it: what an end waits to say, or this. */
  passFin(code: number | undefined): void {
    for (const bytes of this.#takeGateAway()) {
      this.tracker.track(bytes);
      this.forward(bytes);
    }
    if (this.tracker.hasClose && !this.#isCloseNoted) this.#noteClose();
    this.#needEnding().passFin(code);
  }

  /** A planned end that still waits for a boundary takes what there is. */
  hurry(): void {
    this.#ending?.hurry();
  }

  /** Both sockets are about to be destroyed, with what still waits in them. */
  cut(): void {
    if (this.sink.writableLength > 0 && !this.sink.destroyed) this.closeCode = undefined;
    this.#takeGateAway();
    this.#needEnding().cut();
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
    this.#pushIntoEnding(this.#takeGateAway());
    this.#owner.flowFinished();
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

  #needGate(): FlowGate {
    this.#gate ??= new FlowGate(this, this.#policy);
    return this.#gate;
  }

  #dropIdleGate(): void {
    if (this.#gate?.isIdle === true) this.#gate = undefined;
  }

  /** The flow ends: nobody makes it rest any more. What the gate held belongs to the source's bytes. */
  #takeGateAway(): readonly Uint8Array[] {
    const left = this.#gate?.close() ?? NOTHING_LEFT;
    this.#gate = undefined;
    this.goOnForRate();
    this.release();
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
