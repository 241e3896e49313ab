import type { Socket } from "node:net";
import type { Flow } from "./flow.ts";
import { readInto } from "./read-into.ts";

/** What a tunnel's socket carries, so that one set of listeners serves all tunnels without a closure. */
export interface Seat {
  readonly socket: Socket;
  /** The flow that this socket is the source of. */
  readonly reads: Flow;
  /** The flow that this socket is the sink of. */
  readonly writes: Flow;
  readonly owner: SeatOwner;
}

export interface SeatOwner {
  /** FIN came, and everything before it has been taken. */
  sourceEnded(seat: Seat): void;
  /** The socket is closed, whatever the reason; comes once and last. */
  socketClosed(seat: Seat): void;
}

const SEAT = Symbol("tunnel seat");
type SeatedSocket = Socket & { [SEAT]?: Seat | undefined };

function onData(this: SeatedSocket, chunk: Uint8Array): void {
  this[SEAT]?.reads.push(chunk);
}

/** Always goes on reading: whoever wants a rest pauses the socket. */
function onRead(this: Socket, size: number): boolean {
  (this as SeatedSocket)[SEAT]?.reads.read(size);
  return true;
}

function onDrain(this: SeatedSocket): void {
  this[SEAT]?.writes.sinkDrained();
}

function onEnd(this: SeatedSocket): void {
  const seat = this[SEAT];
  seat?.owner.sourceEnded(seat);
}

/** 'close' follows every error and ends the tunnel; which error it was changes nothing. */
function onError(): void {}

function onClose(this: SeatedSocket): void {
  const seat = this[SEAT];
  seat?.owner.socketClosed(seat);
}

/** `into`: the buffer that the socket reads into from now on; undefined = each read has one of its own. */
export function takeSeat(seat: Seat, into: Uint8Array | undefined): void {
  const socket: SeatedSocket = seat.socket;
  socket.on("error", onError);
  socket[SEAT] = seat;
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  socket.on("data", onData).on("drain", onDrain).on("end", onEnd).on("close", onClose);
  if (into !== undefined) readInto(socket, into, onRead);
}

/** For a socket that is closed: what still listens does nothing without a seat, and goes with the socket. */
export function leaveSeat(seat: Seat): void {
  (seat.socket as SeatedSocket)[SEAT] = undefined;
}

/** It has told its end to whoever listened before. */
export function isAtEnd({ socket }: Seat): boolean {
  return socket.closed || socket.readableEnded;
}

/** Bytes still wait for its peer. */
export function isSlow({ socket }: Seat): boolean {
  return !socket.destroyed && socket.writableLength > 0;
}

/** What had been read from a socket before it broke still lies in its buffer. */
export function takeLeftovers({ socket, reads }: Seat): void {
  while (!reads.isSourceDone) {
    const chunk = socket.read() as Uint8Array | null;
    if (chunk === null) break;
    reads.push(chunk);
  }
}
