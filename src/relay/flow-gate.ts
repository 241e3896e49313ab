import { FlowRates, type RatedKind } from "./flow-rates.ts";
import { FrameSieve, type SieveStep } from "./frame-sieve.ts";
import { type FlowStop, type GateHost, type PongWatch, writeOwn } from "./gate-host.ts";
import type { TimerHandle } from "./timer-wheel.ts";
import type { FramePolicy } from "./types.ts";

const CLOSE = 8;
const PONG = 10;
const NOTHING = new Uint8Array(0);

interface Injection {
  readonly frame: Uint8Array;
  readonly onFlushed: () => void;
}

/** Whether the frames of this side have to go through a gate all the time. */
export function wantsGate(policy: FramePolicy, from: "client" | "backend"): boolean {
  const { strictness, maxMessageBytes, maxFragments } = policy;
  return (
    strictness === "Enforce" || maxMessageBytes > 0 || maxFragments > 0 || (from === "client" && FlowRates.has(policy))
  );
}

/**
 * Stands in a flow while it needs care: frames may have to be stopped, to wait for their time, to be kept back, or one of
 * ours to be put in. Without a need for it there is none, and nothing is paid.
 */
export class FlowGate {
  readonly #host: GateHost;
  readonly #sieve: FrameSieve;
  #policy: FramePolicy;
  #rates: FlowRates | undefined = undefined;
  /** Waits for the end of the frame under way. */
  #injection: Injection | undefined = undefined;
  #pongs: PongWatch | undefined = undefined;
  /** What waits for its time, behind what the sieve holds. */
  #waiting: Uint8Array = NOTHING;
  /** What had waited and is under way again: nobody else writes to it. */
  #resumed: Uint8Array | undefined = undefined;
  #timer: TimerHandle | undefined = undefined;
  /** Until the next frame may begin, in milliseconds. */
  #waitMs = 0;
  /** Of the chunk at hand. */
  #passedBytes = 0;
  #isClosed = false;

  constructor(host: GateHost, policy: FramePolicy) {
    this.#host = host;
    this.#policy = policy;
    this.#sieve = new FrameSieve(host.tracker, sievePolicy(policy));
    this.#setRates();
  }

  /** Nothing needs it any more. */
  get isIdle(): boolean {
    return (
      this.#injection === undefined &&
      (this.#pongs === undefined || !this.#pongs.isWaiting || this.#host.tracker.isOpaque) &&
      this.waitingBytes === 0 &&
      this.#timer?.isPending !== true &&
      !wantsGate(this.#policy, this.#host.from)
    );
  }

  get waitingBytes(): number {
    return this.#waiting.length + this.#sieve.heldBytes;
  }

  /** True if anything of it, or of what was held before, went on. */
  push(chunk: Uint8Array): boolean {
    if (this.#timer?.isPending === true) {
      // Was under way when the source was told to rest.
      this.#waiting = this.#waiting.length === 0 ? Uint8Array.from(chunk) : Buffer.concat([this.#waiting, chunk]);
      return false;
    }
    return this.#run(chunk);
  }

  setPolicy(policy: FramePolicy): void {
    const before = this.#policy;
    this.#policy = policy;
    this.#sieve.policy = sievePolicy(policy);
    // What was sent under the same rates stays sent.
    const areRatesNew = !FlowRates.areSame(before, policy);
    if (areRatesNew) this.#setRates();
    if ((areRatesNew || policy.onLimit !== before.onLimit) && this.#timer?.isPending === true) this.#resume();
  }

  /** Puts a frame of ours behind the one that is under way. */
  injectBehindFrame(frame: Uint8Array, onFlushed: () => void): void {
    this.#injection = { frame, onFlushed };
  }

  expectPong(watch: PongWatch): void {
    this.#pongs = watch;
  }

  /** Takes it out of the flow. Returns what had not gone on, in order. */
  close(): readonly Uint8Array[] {
    this.#isClosed = true;
    this.#host.wheel.cancel(this.#timer);
    const left = [this.#sieve.release(), this.#waiting].filter(({ length }) => length > 0);
    this.#waiting = NOTHING;
    return left;
  }

  /** True if anything went on. */
  #run(chunk: Uint8Array): boolean {
    let at = this.#injection === undefined ? 0 : this.#passFrameUnderWay(chunk);
    this.#passedBytes = at;
    while (at < chunk.length) {
      const step = this.#sieve.step(chunk, at);
      if (!this.#follow(step, chunk, at)) return this.#passedBytes > 0;
      at = step.next;
    }
    if (this.#passedBytes === 0) return false;
    const waitMs = this.#payForBytes();
    if (waitMs > 0 && this.#policy.onLimit === "Close") this.#host.stopped("rate_limit");
    else if (waitMs > 0) this.#waitFor(waitMs);
    return true;
  }

  /** False where the rest of the chunk has to wait, or will not go on at all. */
  #follow(step: SieveStep, chunk: Uint8Array, at: number): boolean {
    switch (step.kind) {
      case "pass":
        this.#pass(at === 0 && step.next === chunk.length ? chunk : chunk.subarray(at, step.next));
        return true;
      case "header":
        this.#pass(step.bytes);
        return true;
      case "control":
        if (this.#mayPass(step)) this.#pass(step.bytes);
        else if (this.#waitMs > 0) return this.#waitForTime(step.bytes, chunk, step.next);
        return true;
      case "wait":
        return this.#waitForTime(this.#sieve.release(), chunk, step.next);
      case "stop":
        return this.#stop(step.why, chunk.subarray(step.next));
      case "hold":
        return true;
    }
  }

  #pass(bytes: Uint8Array): void {
    this.#host.forward(bytes);
    this.#passedBytes += bytes.length;
  }

  /** Ours comes behind it. */
  #passFrameUnderWay(chunk: Uint8Array): number {
    const end = this.#host.tracker.trackTo("frame", chunk, 0);
    if (end > 0) this.#host.forward(chunk.subarray(0, end));
    this.#injectAtBoundary();
    return end;
  }

  /** A control frame may go on. Not: it was for us, or, with a wait, it is more than the rate allows. */
  #mayPass({ opcode, payload, bytes }: Extract<SieveStep, { kind: "control" }>): boolean {
    this.#waitMs = 0;
    if (opcode === PONG && this.#pongs?.take(payload) === true) {
      this.#host.swallowed(bytes.length);
      return false;
    }
    // Whoever takes its leave may do so at any rate.
    if (opcode !== CLOSE && !this.#mayBegin("control")) return false;
    this.#sieve.accept();
    return true;
  }

  #stop(why: FlowStop, rest: Uint8Array): false {
    this.#waiting = rest;
    this.#host.stopped(why);
    return false;
  }

  /** The next frame is more than the rates allow: it begins with `held` and goes on in the chunk at `next`. */
  #waitForTime(held: Uint8Array, chunk: Uint8Array, next: number): false {
    const waitMs = Math.max(this.#waitMs, this.#payForBytes());
    const size = held.length + chunk.length - next;
    // Thousands of messages may wait in one chunk: it is copied when half of it is gone, not for each of them.
    const isOurs = chunk === this.#resumed && 2 * size > chunk.buffer.byteLength;
    // Else a copy: the chunk's bytes are others when the time has come.
    const waiting = isOurs ? chunk.subarray(chunk.length - size) : Buffer.concat([held, chunk.subarray(next)]);
    if (this.#policy.onLimit === "Close") return this.#stop("rate_limit", waiting);
    this.#waiting = waiting;
    if (chunk !== this.#resumed) this.#host.noteWaiting(size);
    this.#waitFor(waitMs);
    return false;
  }

  #payForBytes(): number {
    return this.#rates?.payForBytes(this.#passedBytes, this.#host.wheel.nowMs) ?? 0;
  }

  #waitFor(ms: number): void {
    this.#host.holdForRate();
    this.#timer = this.#host.wheel.schedule(ms, () => this.#resume());
  }

  #resume(): void {
    this.#host.wheel.cancel(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = NOTHING;
    // Unless it goes on with a frame that the sieve holds the beginning of.
    if (this.#sieve.heldBytes === 0) this.#resumed = waiting;
    const hasPassed = this.#run(waiting);
    this.#resumed = undefined;
    if (this.#isClosed) return;
    if (this.#timer === undefined) this.#host.goOnForRate();
    if (hasPassed) this.#host.passedLater();
  }

  #injectAtBoundary(): void {
    const { tracker, sink } = this.#host;
    const injection = this.#injection;
    if (injection === undefined) return;
    // Nothing follows a Close.
    if (tracker.hasClose || tracker.isOpaque) this.#injection = undefined;
    else if (tracker.isAtFrameBoundary) {
      this.#injection = undefined;
      writeOwn(sink, injection.frame, injection.onFlushed);
    }
  }

  #setRates(): void {
    const isRated = this.#host.from === "client" && FlowRates.has(this.#policy);
    this.#rates = isRated ? new FlowRates(this.#policy, this.#host.wheel.nowMs) : undefined;
    // By way of a name: see docs/performance.md, "What is dead and stays".
    const mayBegin = isRated ? (): boolean => this.#mayBegin("message") : undefined;
    this.#sieve.mayBegin = mayBegin;
  }

  #mayBegin(kind: RatedKind): boolean {
    this.#waitMs = this.#rates?.begin(kind, this.#host.wheel.nowMs) ?? 0;
    return this.#waitMs === 0;
  }
}

function sievePolicy({ strictness, maxMessageBytes, maxFragments }: FramePolicy) {
  return { isStrict: strictness === "Enforce", maxMessageBytes, maxFragments };
}
