import { connect, type Socket } from "node:net";
import type { TimerHandle, TimerWheel } from "../relay/index.ts";
import type { ProbeAnswer } from "./types.ts";

/** What a backend may send in one probe; no answer to one needs more, and nobody is to keep this thread busy by it. */
export const MOST_BYTES = 256 * 1024;
/** For the rest of a body, or for the answer to our Close, when the probe has found what it wanted. */
const LAST_WORDS_MS = 1_000;
const MOST_WORDS = 200;

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
}

export interface ProbeRunOptions {
  readonly wheel: TimerWheel;
  /** From the dial to the last answer; above 0. */
  readonly timeoutMs: number;
  /** Called once, after the socket is gone, later than the constructor returns. */
  readonly done: (answer: ProbeAnswer) => void;
}

/**
 * One probe under way. It owns the socket: whatever the protocol above it meets, the run ends by destroying it, and is over when
 * it is closed. The first answer counts.
 */
export class ProbeRun {
  readonly socket: Socket;
  readonly #wheel: TimerWheel;
  readonly #deadlineMs: number;
  #done: ((answer: ProbeAnswer) => void) | undefined;
  #timer: TimerHandle;
  #answer: ProbeAnswer | undefined;
  #isConnected = false;
  #lacking = "no connection in time";

  constructor({ address, port }: ProbeTarget, { wheel, timeoutMs, done }: ProbeRunOptions) {
    this.#wheel = wheel;
    this.#done = done;
    this.#deadlineMs = wheel.nowMs + timeoutMs;
    this.#timer = wheel.schedule(timeoutMs, () => this.end(timedOut(this.#lacking)));
    this.socket = connect({ host: address, port, noDelay: true });
    this.socket
      .on("error", (error) => this.#onError(error))
      .on("connect", () => this.#onConnect())
      .on("close", () => this.#onClose());
  }

  /** What a timeout lacked from now on: `no answer in time`. */
  awaits(lacking: string): void {
    this.#lacking = lacking;
  }

  /** The answer is there; what is still to be said or read has a moment, and the end of the socket ends the run. */
  found(answer: ProbeAnswer): void {
    if (this.#answer !== undefined) return;
    this.#answer = answer;
    this.#wheel.cancel(this.#timer);
    const leftMs = Math.min(LAST_WORDS_MS, this.#deadlineMs - this.#wheel.nowMs);
    this.#timer = this.#wheel.schedule(leftMs, () => this.end());
  }

  /** Nothing more is said or read. Not given = what was found. */
  end(answer?: ProbeAnswer): void {
    this.#answer ??= answer;
    this.#wheel.cancel(this.#timer);
    this.socket.destroy();
  }

  /** Nobody wants to know any more: `done` is not called. */
  abandon(): void {
    this.#done = undefined;
    this.end();
  }

  /** Ends the run when the backend sends more than any answer needs. To be called where somebody else reads. */
  boundReading(): void {
    const { socket } = this;
    socket.on("data", () => {
      if (socket.bytesRead > MOST_BYTES) this.end(badAnswer(`more than ${MOST_BYTES} bytes, and no end`));
    });
  }

  #onConnect(): void {
    this.#isConnected = true;
  }

  #onError(error: NodeJS.ErrnoException): void {
    const words = error.code ?? error.message;
    this.#answer ??= this.#isConnected ? badAnswer(words) : { result: "no_connection", why: words };
  }

  #onClose(): void {
    this.#wheel.cancel(this.#timer);
    // Whoever else listens to this socket may know better why it closed.
    setImmediate(() => {
      this.#done?.(this.#answer ?? badAnswer("the connection ended without an answer"));
      this.#done = undefined;
    });
  }
}

export const SUCCESS: ProbeAnswer = { result: "success", why: "" };

export function badAnswer(why: string): ProbeAnswer {
  return { result: "bad_answer", why: why.slice(0, MOST_WORDS) };
}

function timedOut(why: string): ProbeAnswer {
  return { result: "timeout", why };
}
