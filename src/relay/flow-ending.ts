import type { Socket } from "node:net";
import { encodeClose } from "./close-frame.ts";
import type { FrameTracker } from "./frame-tracker.ts";
import type { TimerHandle, TimerWheel } from "./timer-wheel.ts";

/** How long a planned end waits for a message boundary, then for a frame boundary. */
const MESSAGE_BOUNDARY_WAIT_MS = 2_000;
const FRAME_BOUNDARY_WAIT_MS = 5_000;
/** How long we read on behind our Close for the peer's, so that the kernel does not answer unread data with RST. */
export const LINGER_MS = 5_000;

/**
 * open: bytes pass, for a limited time. seekingMessage, seekingFrame: bytes pass until a boundary where our Close can go.
 * told: our Close, or at last the source's own, was the last word to the sink, whose Close is awaited. finished: FIN was
 * sent. In the last two the source is read and discarded.
 */
type EndingState = "open" | "seekingMessage" | "seekingFrame" | "told" | "finished";

/** The flow that ends. */
export interface EndingHost {
  readonly from: "client" | "backend";
  readonly sink: Socket;
  readonly tracker: FrameTracker;
  readonly wheel: TimerWheel;
  /** Nothing can be put between its frames. */
  readonly isOpaque: boolean;
  /** The code of a Close of ours that went to the source; undefined = none did. */
  readonly codeToldToSource: number | undefined;
  /** The sink may still say Close: it has not yet, and its stream has not ended. */
  readonly maySinkStillClose: boolean;
  /** Of the last Close frame that went to the sink. */
  closeCode: number | undefined;
  /** Of the Close frame of our own that went to the sink. */
  spokenCode: number | undefined;
  /** The sink got FIN inside a frame. */
  isMidFrame: boolean;
  /** For the mask of a frame to the sink. */
  newKey(): number | undefined;
  forward(chunk: Uint8Array): void;
  /** Nothing goes to the sink any more: the source is read whatever had stopped it. */
  readOn(): void;
  finished(): void;
}

/** How one direction comes to its last word. Made when its end begins. */
export class FlowEnding {
  readonly #flow: EndingHost;
  #state: EndingState = "open";
  /** What a planned end will say at the boundary. */
  #plannedCode: number | undefined = undefined;
  #plannedReason = "";
  #deadline: TimerHandle | undefined = undefined;
  #limitMs = Infinity;
  /** Pieces of a Close that is not yet known to pass. */
  readonly #heldClose: Uint8Array[] = [];

  constructor(flow: EndingHost) {
    this.#flow = flow;
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

  /** Takes bytes of the source in every state but open. */
  push(chunk: Uint8Array): void {
    const { tracker } = this.#flow;
    if (!this.isSeeking) {
      tracker.track(chunk);
      return;
    }
    const at = this.#heldClose.length > 0 ? 0 : this.#seekIn(chunk);
    if (at > 0) this.#flow.forward(at === chunk.length ? chunk : chunk.subarray(0, at));
    if (tracker.hasClose) {
      this.#flow.closeCode = tracker.closeCode;
      this.#awaitClose();
    } else if (tracker.isOpaque) this.finish();
    else if (this.#isAtWantedBoundary()) {
      this.tell(this.#plannedCode);
      // Discarded, but for the source's own Close, which the other direction waits for.
      if (at < chunk.length) tracker.track(chunk.subarray(at));
    } else if (at < chunk.length) this.#holdClose(chunk, at);
  }

  /** `reason`: goes with the code. */
  seek(code: number | undefined, reason: string): void {
    if (this.#flow.isOpaque) {
      this.finish();
      return;
    }
    this.#plannedCode = code;
    this.#plannedReason = reason;
    this.#state = "seekingMessage";
    if (this.#flow.tracker.isAtMessageBoundary) this.tell(code);
    else this.#arm(MESSAGE_BOUNDARY_WAIT_MS);
  }

  tell(code: number | undefined): void {
    if (this.#state === "told" || this.#state === "finished") return;
    const { isOpaque, tracker, sink } = this.#flow;
    const isWritable = !isOpaque && !tracker.hasClose;
    if (isWritable && !tracker.isAtFrameBoundary) this.#flow.isMidFrame = true;
    else if (isWritable && code !== undefined && !sink.destroyed) return this.#speak(code);
    this.finish();
  }

  passFin(code: number | undefined): void {
    if (this.isSeeking) this.tell(this.#plannedCode);
    else if (this.#state === "open") this.tell(code);
  }

  /** What waits for a boundary waits no longer. */
  hurry(): void {
    if (!this.isSeeking) return;
    if (this.#flow.tracker.isAtFrameBoundary) this.tell(this.#plannedCode);
    else this.#finishWhereItStands();
  }

  /** The sockets are gone. */
  cut(): void {
    if (this.isTold) this.finish();
    else if (!this.isFinished) this.#finishWhereItStands();
  }

  finish(): void {
    if (this.#state === "finished") return;
    this.#state = "finished";
    this.#flow.wheel.cancel(this.#deadline);
    endHalf(this.#flow.sink);
    this.#flow.readOn();
    this.#flow.finished();
  }

  limit(ms: number): void {
    if (this.#state !== "open" || ms >= this.#limitMs) return;
    this.#limitMs = ms;
    this.#arm(ms);
  }

  /** How much of the chunk passes: up to the wanted boundary, or to a Close between fragments that may answer ours. */
  #seekIn(chunk: Uint8Array): number {
    const { tracker, codeToldToSource } = this.#flow;
    const boundary = this.#state === "seekingMessage" ? "message" : "frame";
    if (codeToldToSource === undefined) return tracker.trackTo(boundary, chunk, 0);
    let at = 0;
    while (at < chunk.length && !tracker.isOpaque && !this.#isAtWantedBoundary()) {
      if (tracker.isAtFrameBoundary && isClose(chunk[at])) return at;
      tracker.track(chunk.subarray(at, at + 1));
      at = tracker.trackTo("frame", chunk, at + 1);
    }
    return at;
  }

  /**
   * The source says Close before we could, and ours has gone to it. The echo of our code would tell the sink a cause
   * that is not ours, so ours goes in its place; a code of its own passes. Control frames have 131 bytes at most.
   */
  #holdClose(chunk: Uint8Array, from: number): void {
    const { tracker, codeToldToSource } = this.#flow;
    const end = tracker.trackTo("message", chunk, from);
    // A copy: the chunk's bytes are others when the next piece comes.
    this.#heldClose.push(Uint8Array.from(chunk.subarray(from, end)));
    if (tracker.isOpaque) return this.finish();
    if (!tracker.hasClose) return;
    const code = tracker.closeCode;
    if (code === codeToldToSource && this.#plannedCode !== undefined) return this.#speak(this.#plannedCode);
    for (const piece of this.#heldClose) this.#flow.forward(piece);
    this.#flow.closeCode = code;
    this.#awaitClose();
  }

  #speak(code: number): void {
    const { sink } = this.#flow;
    this.#flow.closeCode = code;
    this.#flow.spokenCode = code;
    const reason = code === this.#plannedCode ? this.#plannedReason : "";
    if (!sink.destroyed) sink.write(encodeClose(code, this.#flow.newKey(), reason));
    this.#awaitClose();
  }

  #isAtWantedBoundary(): boolean {
    const { tracker } = this.#flow;
    return this.#state === "seekingMessage" ? tracker.isAtMessageBoundary : tracker.isAtFrameBoundary;
  }

  /** The last word is said. Reads on, even where the sink had stopped us, until the sink's Close or the linger's end. */
  #awaitClose(): void {
    this.#state = "told";
    if (this.#flow.maySinkStillClose) {
      this.#arm(LINGER_MS);
      this.#flow.readOn();
    } else this.finish();
  }

  #finishWhereItStands(): void {
    const { tracker, isOpaque } = this.#flow;
    if (!tracker.isAtFrameBoundary && !tracker.hasClose && !isOpaque) this.#flow.isMidFrame = true;
    this.finish();
  }

  #arm(ms: number): void {
    const { wheel } = this.#flow;
    wheel.cancel(this.#deadline);
    this.#deadline = wheel.schedule(ms, () => this.#expired());
  }

  #expired(): void {
    if (this.#state === "told") this.finish();
    else if (this.#state !== "seekingMessage") this.#finishWhereItStands();
    else if (this.#flow.tracker.isAtFrameBoundary) this.tell(this.#plannedCode);
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
