import type { Socket } from "node:net";
import { encodeClose } from "./close-frame.ts";
import { FrameTracker } from "./frame-tracker.ts";
import type { ReadPage } from "./read-page.ts";
import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";

/** How long a planned end waits for a message boundary, then for a frame boundary. */
const MESSAGE_BOUNDARY_WAIT_MS = 2_000;
const FRAME_BOUNDARY_WAIT_MS = 5_000;
/** How long we read on behind our Close for the peer's, so that the kernel does not answer unread data with RST. */
export const LINGER_MS = 5_000;

/**
 * open: bytes pass. seekingMessage, seekingFrame: bytes pass until a boundary where our Close can go. told: our Close,
 * or at last the source's own, was the last word to the sink, whose Close is awaited. finished: FIN was sent.
 * In the last two the source is read and discarded.
 */
type FlowState = "open" | "seekingMessage" | "seekingFrame" | "told" | "finished";

/** What a flow needs from the tunnel it belongs to. */
export interface FlowOwner {
  /** Framing was lost in either direction. */
  readonly isOpaque: boolean;
  noteActivity(): void;
  /** The source's Close frame has gone by, passed on or discarded; once per flow. */
  closeSeen(flow: Flow): void;
  /** The code of a Close of ours that went to this flow's source; undefined = none did. */
  codeToldTo(flow: Flow): number | undefined;
  /** The sink of this flow may still say Close: it has not yet, and its stream has not ended. */
  mayStillClose(flow: Flow): boolean;
  flowFinished(): void;
}

export interface FlowEnds {
  readonly from: "client" | "backend";
  readonly source: Socket;
  readonly sink: Socket;
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
}

/** One direction of a tunnel: reads from the source, writes to the sink, and knows how to say the last word to it. */
export class Flow {
  readonly from: "client" | "backend";
  readonly tracker: FrameTracker;
  /** As read from the source. */
  bytes = 0;
  /** Of the last Close frame that went to the sink. */
  closeCode: number | undefined = undefined;
  /** Of the Close frame of our own that went to the sink. */
  spokenCode: number | undefined = undefined;
  /** The sink got FIN inside a frame. */
  isMidFrame = false;
  /** The source's stream has ended, by FIN or with its socket. */
  isSourceDone = false;

  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #owner: FlowOwner;
  readonly #page: ReadPage;
  readonly #wheel: TimerWheel;
  readonly #random: () => number;
  #state: FlowState = "open";
  /** What a planned end will say at the boundary. */
  #plannedCode: number | undefined = undefined;
  #deadline: TimerHandle | undefined = undefined;
  #limitMs = Infinity;
  /** The sink is full, and the source waits for it. */
  #isPaused = false;
  #isCloseNoted = false;
  /** Pieces of a Close that is not yet known to pass. */
  readonly #heldClose: Uint8Array[] = [];

  constructor(ends: FlowEnds, around: FlowSurroundings) {
    this.from = ends.from;
    this.tracker = new FrameTracker(ends.from, around.reservedBits);
    this.#source = ends.source;
    this.#sink = ends.sink;
    this.#owner = around.owner;
    this.#page = around.page;
    this.#wheel = around.wheel;
    this.#random = around.random;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isSeeking(): boolean {
    return this.#state === "seekingMessage" || this.#state === "seekingFrame";
  }

  get isTold(): boolean {
    return this.#state === "told";
  }

  get isFinished(): boolean {
    return this.#state === "finished";
  }

  /** Takes what the source has just read into the page. */
  read(size: number): void {
    this.push(this.#page.take(size));
  }

  /** Takes bytes of the source, which may be others after it returns. The hot path. */
  push(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#owner.noteActivity();
    if (this.#state === "open") {
      this.tracker.track(chunk);
      this.#forward(chunk);
    } else this.#pushWhileEnding(chunk);
    if (this.tracker.hasClose && !this.#isCloseNoted) {
      this.#isCloseNoted = true;
      if (this.#state === "open") this.closeCode = this.tracker.closeCode;
      this.#owner.closeSeen(this);
    }
  }

  /** Lets the source flow, unless the sink is full. */
  startReading(): void {
    if (!this.#isPaused) this.#source.resume();
  }

  sinkDrained(): void {
    if (this.#isPaused) this.#resume();
  }

  /** A planned end: says Close at the next message boundary, for want of one at a frame boundary. */
  seek(code: number | undefined): void {
    if (this.#state !== "open") return;
    if (this.#owner.isOpaque) {
      this.finish();
      return;
    }
    this.#plannedCode = code;
    this.#state = "seekingMessage";
    if (this.tracker.isAtMessageBoundary) this.tell(code);
    else this.#arm(MESSAGE_BOUNDARY_WAIT_MS);
  }

  /** Says Close here and now if a frame can be written, and lingers for the answer; else FIN. */
  tell(code: number | undefined): void {
    if (this.#state === "told" || this.#state === "finished") return;
    const isWritable = !this.#owner.isOpaque && !this.tracker.hasClose;
    if (isWritable && !this.tracker.isAtFrameBoundary) this.isMidFrame = true;
    else if (isWritable && code !== undefined && !this.#sink.destroyed) return this.#speak(code);
    this.finish();
  }

  /** The source has sent all it will; the sink learns it by FIN, with `planned` words first if an end waits for them. */
  passFin(): void {
    if (this.isSeeking) this.tell(this.#plannedCode);
    else if (this.#state === "open") this.#finishWhereItStands();
  }

  /** FIN to the sink, nothing after it; the source is read and discarded from here on. */
  finish(): void {
    if (this.#state === "finished") return;
    this.#state = "finished";
    this.#wheel.cancel(this.#deadline);
    endHalf(this.#sink);
    if (this.#isPaused) this.#resume();
    this.#owner.flowFinished();
  }

  /** An open flow gets so much more time, then FIN. A second limit counts only if it is a smaller one. */
  limit(ms: number): void {
    if (this.#state !== "open" || ms >= this.#limitMs) return;
    this.#limitMs = ms;
    this.#arm(ms);
  }

  #forward(chunk: Uint8Array): void {
    if (this.#page.writeTo(this.#sink, chunk)) return;
    this.#isPaused = true;
    this.#source.pause();
  }

  #pushWhileEnding(chunk: Uint8Array): void {
    if (!this.isSeeking) {
      this.tracker.track(chunk);
      return;
    }
    const at = this.#heldClose.length > 0 ? 0 : this.#seekIn(chunk);
    if (at > 0) this.#forward(at === chunk.length ? chunk : chunk.subarray(0, at));
    if (this.tracker.hasClose) {
      this.closeCode = this.tracker.closeCode;
      this.#awaitClose();
    } else if (this.tracker.isOpaque) this.finish();
    else if (this.#isAtWantedBoundary()) {
      this.tell(this.#plannedCode);
      // Discarded, but for the source's own Close, which the other direction waits for.
      if (at < chunk.length) this.tracker.track(chunk.subarray(at));
    } else if (at < chunk.length) this.#holdClose(chunk, at);
  }

  /** How much of the chunk passes: up to the wanted boundary, or to a Close between fragments that may answer ours. */
  #seekIn(chunk: Uint8Array): number {
    const boundary = this.#state === "seekingMessage" ? "message" : "frame";
    if (this.#owner.codeToldTo(this) === undefined) return this.tracker.trackTo(boundary, chunk, 0);
    let at = 0;
    while (at < chunk.length && !this.tracker.isOpaque && !this.#isAtWantedBoundary()) {
      if (this.tracker.isAtFrameBoundary && isClose(chunk[at])) return at;
      this.tracker.track(chunk.subarray(at, at + 1));
      at = this.tracker.trackTo("frame", chunk, at + 1);
    }
    return at;
  }

  /**
   * The source says Close before we could, and ours has gone to it. The echo of our code would tell the sink a cause
   * that is not ours, so ours goes in its place; a code of its own passes. Control frames have 131 bytes at most.
   */
  #holdClose(chunk: Uint8Array, from: number): void {
    const end = this.tracker.trackTo("message", chunk, from);
    // A copy: the chunk's bytes are others when the next piece comes.
    this.#heldClose.push(Uint8Array.from(chunk.subarray(from, end)));
    if (this.tracker.isOpaque) return this.finish();
    if (!this.tracker.hasClose) return;
    const code = this.tracker.closeCode;
    if (code === this.#owner.codeToldTo(this) && this.#plannedCode !== undefined) return this.#speak(this.#plannedCode);
    for (const piece of this.#heldClose) this.#forward(piece);
    this.closeCode = code;
    this.#awaitClose();
  }

  #speak(code: number): void {
    this.closeCode = code;
    this.spokenCode = code;
    const key = this.from === "client" ? Math.floor(this.#random() * 2 ** 32) : undefined;
    if (!this.#sink.destroyed) this.#sink.write(encodeClose(code, key));
    this.#awaitClose();
  }

  #isAtWantedBoundary(): boolean {
    return this.#state === "seekingMessage" ? this.tracker.isAtMessageBoundary : this.tracker.isAtFrameBoundary;
  }

  /** The last word is said. Reads on, even where the sink had stopped us, until the sink's Close or the linger's end. */
  #awaitClose(): void {
    this.#state = "told";
    if (this.#owner.mayStillClose(this)) {
      this.#arm(LINGER_MS);
      if (this.#isPaused) this.#resume();
    } else this.finish();
  }

  #finishWhereItStands(): void {
    const isInFrame = !this.tracker.isAtFrameBoundary && !this.tracker.hasClose;
    if (isInFrame && !this.#owner.isOpaque) this.isMidFrame = true;
    this.finish();
  }

  #resume(): void {
    this.#isPaused = false;
    if (!this.#source.destroyed) this.#source.resume();
  }

  #arm(ms: number): void {
    this.#wheel.cancel(this.#deadline);
    this.#deadline = this.#wheel.schedule(ms, () => this.#expired());
  }

  #expired(): void {
    if (this.#state === "told") this.finish();
    else if (this.#state !== "seekingMessage") this.#finishWhereItStands();
    else if (this.tracker.isAtFrameBoundary) this.tell(this.#plannedCode);
    else {
      this.#state = "seekingFrame";
      this.#arm(FRAME_BOUNDARY_WAIT_MS);
    }
  }
}

/**
 * Ends what we write. Where the peer has ended its half and has got everything, closing says the same as FIN and saves
 * the walk through a half-closed socket. TLS has words of its own to say first.
 */
function endHalf(sink: Socket): void {
  if (sink.destroyed) return;
  if (sink.readableEnded && sink.writableLength === 0 && !("encrypted" in sink)) sink.destroy();
  else sink.end();
}

function isClose(firstByte: number | undefined): boolean {
  return firstByte !== undefined && (firstByte & 0x0f) === 8;
}
