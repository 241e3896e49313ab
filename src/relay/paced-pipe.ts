import type { Socket } from "node:net";
import type { BufferBudget } from "./buffer-budget.ts";
import type { BudgetStanding, BufferHolder } from "./buffer-holder.ts";
import type { ReadPage } from "./read-page.ts";
import type { TimerWheel } from "./timer-wheel.ts";

// Why a source is not read: each reason comes and goes for itself.
const SINK_IS_FULL = 1;
const RATE = 2;
const BUDGET = 4;

/** Knows what all flows together keep in memory. */
export type Backlogs = Pick<BufferBudget, "note" | "forget">;

export interface PacedPipeEnds {
  readonly source: Socket;
  readonly sink: Socket;
}

export interface PacedPipeSurroundings {
  /** Shared by all flows of a relay. */
  readonly page: ReadPage;
  readonly wheel: TimerWheel;
  readonly backlogs: Backlogs | undefined;
}

/**
 * A source and a sink, and how fast the one may be read for the other. A part of Flow that is a base class, not an object
 * of its own: there are two for each tunnel, and every chunk goes through.
 */
export abstract class PacedPipe implements BufferHolder {
  rosterPlace = -1;
  budgetStanding: BudgetStanding | undefined = undefined;
  readonly sink: Socket;
  readonly wheel: TimerWheel;
  /** When the sink last took what had waited, or reading went on after a rest. On the wheel's clock. */
  movedAtMs = 0;
  protected readonly source: Socket;
  protected readonly page: ReadPage;
  readonly #backlogs: Backlogs | undefined;
  /** Reasons for which the source is not read. */
  #rests = 0;
  /** Memory held by what waits for the sink; may be too much once the sink has taken it all. */
  #keptBytes = 0;

  constructor(ends: PacedPipeEnds, around: PacedPipeSurroundings) {
    this.sink = ends.sink;
    this.source = ends.source;
    this.wheel = around.wheel;
    this.page = around.page;
    this.#backlogs = around.backlogs;
  }

  abstract get isOpen(): boolean;

  /** The tunnel has to end, since its bytes lie in everybody's way. */
  abstract shed(): void;

  /** The source is not read at the moment. */
  get isResting(): boolean {
    return this.#rests !== 0;
  }

  /** More was sent than a rate allows, and waits for its time. */
  get isAheadOfRate(): boolean {
    return (this.#rests & RATE) !== 0;
  }

  get waitingBytes(): number {
    if (this.sink.writableLength === 0 || this.sink.destroyed) this.#keptBytes = 0;
    return this.#keptBytes;
  }

  /** What the sink has taken so far, write by write. */
  get takenBytes(): number {
    return this.sink.bytesWritten - this.sink.writableLength;
  }

  forward(chunk: Uint8Array): void {
    const keptBytes = this.page.writeTo(this.sink, chunk);
    if (keptBytes !== 0) this.#noteBacklog(keptBytes);
  }

  /** Lets the source flow, unless it has to rest. */
  startReading(): void {
    if (this.#rests === 0) this.source.resume();
  }

  sinkDrained(): void {
    this.#keptBytes = 0;
    this.movedAtMs = this.wheel.nowMs;
    this.#goOn(SINK_IS_FULL);
  }

  hold(): void {
    if (this.isOpen) this.#rest(BUDGET);
  }

  release(): void {
    this.#goOn(BUDGET);
  }

  holdForRate(): void {
    this.#rest(RATE);
  }

  goOnForRate(): void {
    this.#goOn(RATE);
  }

  /** So much has been read and waits for its time: memory as any other. */
  noteWaiting(addedBytes: number): void {
    this.#backlogs?.note(this, addedBytes);
  }

  /** Nothing goes to the sink any more: the source is read whatever had stopped it. */
  readOn(): void {
    if (this.#rests === 0) return;
    this.#rests = 0;
    if (!this.source.destroyed) this.source.resume();
  }

  /** Both sockets are closed: nothing waits any more. */
  leave(): void {
    this.#backlogs?.forget(this);
  }

  #noteBacklog(keptBytes: number): void {
    this.#keptBytes += keptBytes;
    this.#backlogs?.note(this, keptBytes);
    if (this.sink.writableNeedDrain || this.sink.destroyed) this.#rest(SINK_IS_FULL);
  }

  #rest(reason: number): void {
    if (this.#rests === 0) this.source.pause();
    this.#rests |= reason;
  }

  #goOn(reason: number): void {
    if ((this.#rests & reason) === 0) return;
    this.#rests &= ~reason;
    if (this.#rests !== 0) return;
    this.movedAtMs = this.wheel.nowMs;
    if (!this.source.destroyed) this.source.resume();
  }
}
