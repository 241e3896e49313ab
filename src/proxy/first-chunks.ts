import type { Socket } from "node:net";
import { Roster, type RosterMember, type TimerWheel } from "../relay/index.ts";

export interface FirstChunksOptions {
  readonly wheel: TimerWheel;
  /** The wheel's clock. */
  readonly now: () => number;
  /** How long a connection may send nothing. Milliseconds. */
  readonly limitMs: number;
  /** How often connections are looked at for it. Milliseconds. */
  readonly checkMs: number;
  /** The first chunk, whatever it is; nobody listens on the socket any more. */
  readonly onChunk: (socket: Socket, chunk: Buffer) => void;
  /** Nothing came in time; as above. */
  readonly onLate: (socket: Socket) => void;
}

const WAITING = Symbol("first chunk");
type WaitingSocket = Socket & { [WAITING]?: Waiting | undefined };

/** A connection that has sent nothing yet. */
class Waiting implements RosterMember {
  rosterPlace = -1;
  readonly socket: Socket;
  readonly sinceMs: number;
  readonly owner: FirstChunks;

  constructor(socket: Socket, sinceMs: number, owner: FirstChunks) {
    this.socket = socket;
    this.sinceMs = sinceMs;
    this.owner = owner;
  }
}

/** Waits for what each new connection sends first. No parser and no timer is made for a connection meanwhile. */
export class FirstChunks {
  readonly #options: FirstChunksOptions;
  readonly #waiting = new Roster<Waiting>();
  #isChecking = false;

  constructor(options: FirstChunksOptions) {
    this.#options = options;
  }

  await(socket: WaitingSocket): void {
    const waiting = new Waiting(socket, this.#options.now(), this);
    socket[WAITING] = waiting;
    this.#waiting.add(waiting);
    socket.on("data", onData).on("end", onEnd).on("close", onClose);
    if (!this.#isChecking) this.#checkLater();
  }

  /** Ends the connections that have sent nothing. */
  endAll(): void {
    for (const { socket } of this.#waiting) socket.destroy();
  }

  came(waiting: Waiting, chunk: Buffer): void {
    this.forget(waiting);
    this.#options.onChunk(waiting.socket, chunk);
  }

  forget(waiting: Waiting): void {
    const socket: WaitingSocket = waiting.socket;
    this.#waiting.delete(waiting);
    socket[WAITING] = undefined;
    socket.off("data", onData).off("end", onEnd).off("close", onClose);
  }

  #checkLater(): void {
    this.#isChecking = true;
    const { wheel, checkMs } = this.#options;
    wheel.schedule(checkMs, () => this.#check());
  }

  #check(): void {
    this.#isChecking = false;
    const { now, limitMs, onLate } = this.#options;
    const since = now() - limitMs;
    for (const waiting of this.#waiting) {
      if (waiting.sinceMs > since) continue;
      this.forget(waiting);
      onLate(waiting.socket);
    }
    if (this.#waiting.size > 0) this.#checkLater();
  }
}

function onData(this: WaitingSocket, chunk: Buffer): void {
  const waiting = this[WAITING];
  waiting?.owner.came(waiting, chunk);
}

/** Whoever has said nothing and says no more gets no answer. */
function onEnd(this: WaitingSocket): void {
  this.destroy();
}

function onClose(this: WaitingSocket): void {
  const waiting = this[WAITING];
  waiting?.owner.forget(waiting);
}
