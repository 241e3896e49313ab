import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { closePayload, encodeFrame, mayBeSaid, OPCODE } from "./frames.ts";
import type { Payloads } from "./payload.ts";
import type { Random } from "./random.ts";
import { type Listener, Receiver } from "./receiver.ts";
import type { Deed, Side, TunnelRecord } from "./tunnel-record.ts";

/** A sender waits above this for its socket to drain. */
const ENOUGH_WAITING_BYTES = 512 * 1024;

export interface PeerOptions {
  readonly record: TunnelRecord;
  readonly side: Side;
  readonly socket: Socket;
  readonly random: Random;
  readonly payloads: Payloads;
}

interface Piece {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly isFinal?: boolean;
  readonly reserved?: number;
}

/** One end of a tunnel: sends, reads at its own pace, answers as RFC 6455 demands, and writes down what it did and got. */
export class Peer implements Listener {
  readonly side: Side;
  readonly record: TunnelRecord;
  readonly random: Random;
  readonly socket: Socket;
  readonly done: Promise<void>;
  /** May send data: until a Close, FIN or error of either side. */
  isTalking = true;
  /** Dead peers answer nothing. */
  isMute = false;
  /** Takes its time with Pongs: so long at least, and so long at most. */
  pongDelayMs: readonly [least: number, most: number];
  readonly #payloads: Payloads;
  readonly #receiver: Receiver;
  readonly #pongsDue: { readonly payload: Buffer; readonly isOwn: boolean }[] = [];
  #messages = 0;
  #pings = 0;
  #hasSaidClose = false;
  #isBetweenFragments = false;
  #isHushed = false;
  #isOver = false;
  #isInsideFrame = false;

  constructor(options: PeerOptions) {
    const { record, side, socket, random, payloads } = options;
    this.record = record;
    this.side = side;
    this.socket = socket;
    this.random = random;
    this.#payloads = payloads;
    this.pongDelayMs = [0, random.chance(0.3) ? 0 : 300];
    this.#receiver = new Receiver(record, side, this);
    const notice = record.notices[side];
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receiver.push(chunk));
    socket.on("end", () => this.#ended());
    socket.on("error", (error: NodeJS.ErrnoException) => {
      notice.error = error.code ?? error.message;
      record.note(`${side} meets ${notice.error}`);
    });
    this.done = new Promise((resolve) => {
      const onClose = (): void => {
        this.isTalking = false;
        this.#isOver = true;
        notice.closedAtMs = performance.now();
        record.note(`${side} is closed`);
        resolve();
      };
      if (socket.closed) onClose();
      else socket.on("close", onClose);
    });
  }

  /** What came in one packet with the head of the handshake. */
  begin(early: Buffer): void {
    if (early.length > 0) this.#receiver.push(early);
  }

  get unanswered(): number {
    return this.#pongsDue.filter((due) => !due.isOwn).length;
  }

  pinged(payload: Buffer, isOwn: boolean): void {
    if (this.isMute || this.#hasSaidClose) return;
    this.#pongsDue.push({ payload, isOwn });
    setTimeout(() => this.#pong(), this.random.int(...this.pongDelayMs));
  }

  closed(code: number): void {
    this.isTalking = false;
    if (!this.#hasSaidClose && !this.isMute) {
      this.record.fault(this.side, "close", { isAnswer: true });
      this.close(code === 1005 ? undefined : mayBeSaid(code) ? code : 1002);
    }
    // The server's part is to end TCP first (7.1.1).
    if (this.side === "backend") this.socket.end();
  }

  /** A frame that is written by whoever answers the handshake. */
  early(): Buffer {
    const name = { tunnel: this.record.id, side: this.side, sequence: this.#messages };
    this.#messages += 1;
    const frame = this.encode({ opcode: OPCODE.binary, payload: this.#payloads.make(name, 100, this.random) });
    this.record.sent[this.side].sent(frame);
    return frame;
  }

  /** Sends one message in so many frames, with control frames between them now and then. Waits for a full socket. */
  async message(size: number, frames = 1): Promise<void> {
    const name = { tunnel: this.record.id, side: this.side, sequence: this.#messages };
    this.#messages += 1;
    const bytes = this.#payloads.make(name, size, this.random);
    const cuts = Array.from({ length: frames - 1 }, () => this.random.int(0, size)).sort((a, b) => a - b);
    const opcode = this.random.chance(0.5) ? OPCODE.text : OPCODE.binary;
    this.record.note(`${this.side} sends message ${name.sequence}: ${size} bytes, ${frames} frames`);
    for (const [index, end] of [...cuts, size].entries()) {
      if (!this.isTalking) return;
      const payload = bytes.subarray(cuts[index - 1] ?? 0, end);
      this.#isBetweenFragments = index + 1 < frames;
      this.send({ opcode: index === 0 ? opcode : OPCODE.continuation, payload, isFinal: !this.#isBetweenFragments });
      if (this.#isBetweenFragments && this.random.chance(0.2)) this.control();
      if (this.socket.writableLength > ENOUGH_WAITING_BYTES) await this.#drained();
    }
  }

  /** A Ping with a payload that no other has, or a Pong that nobody asked for. */
  control(): void {
    if (this.random.chance(0.7)) this.ping();
    else this.send({ opcode: OPCODE.pong, payload: this.#controlPayload() });
  }

  ping(): void {
    this.send({ opcode: OPCODE.ping, payload: this.#controlPayload() });
  }

  /** Writes a frame that the other side must get. */
  send(piece: Piece, form?: 2 | 8): void {
    this.write(this.encode(piece, form));
  }

  encode({ opcode, payload, isFinal = true, reserved = 0 }: Piece, form?: 2 | 8): Buffer {
    const key = this.side === "client" ? Buffer.from([1, 2, 3, 4].map(() => this.random.int(0, 255))) : undefined;
    return encodeFrame({ opcode, payload, isFinal, reserved, key }, form);
  }

  /** Writes the beginning of a frame, and nothing ever after. */
  breakFrame(part: Buffer): void {
    this.write(part);
    this.#isInsideFrame = true;
  }

  /** Writes bytes that the other side must get, sometimes in pieces. */
  write(bytes: Buffer): void {
    if (this.#cannotWrite) return;
    this.record.sent[this.side].sent(bytes);
    this.record.lastSentMs = performance.now();
    this.#writeRaw(bytes);
  }

  /** Says Close. The caller has written down why. */
  close(code: number | undefined, reason = ""): void {
    this.closeWith(closePayload(code, reason));
  }

  /** As `close`, with any payload. */
  closeWith(payload: Buffer): void {
    if (this.#hasSaidClose || this.socket.writableEnded) return;
    this.isTalking = false;
    this.record.note(`${this.side} says Close ${payload.toString("hex").slice(0, 20)}`);
    const frame = this.encode({ opcode: OPCODE.close, payload });
    this.#hasSaidClose = true;
    // The answer to a Close of the proxy's is for the proxy.
    if (this.record.notices[this.side].isCloseOurs) this.#writeRaw(frame);
    else this.write(frame);
  }

  /** Ends as a deed, written down first. */
  leave(deed: Extract<Deed, "fin" | "reset" | "destroy">, how?: { readonly isMidFrame: boolean }): void {
    this.record.fault(this.side, deed, how);
    this.isTalking = false;
    if (deed === "fin") this.socket.end();
    else if (deed === "reset") this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** Begins no message any more, and waits for the end of the one that is on its way out. */
  async hush(): Promise<void> {
    this.#isHushed = true;
    while (this.#isBetweenFragments && this.isTalking) await sleep(5);
    this.isTalking = false;
  }

  /** Takes a hush back, unless the tunnel is ending. */
  speakAgain(): void {
    this.#isHushed = false;
    this.isTalking = !this.#hasSaidClose && this.record.notices[this.side].closeAtMs === undefined && !this.#isOver;
  }

  /** Whether data may be sent now. */
  get mayBegin(): boolean {
    return this.isTalking && !this.#isHushed;
  }

  #controlPayload(): Buffer {
    const text = `${this.record.id}-${this.side}-${(this.#pings += 1)}`;
    return Buffer.from(text.padEnd(this.random.int(text.length, 125), "."));
  }

  #pong(): void {
    const due = this.#pongsDue.shift();
    if (due === undefined || this.isMute || this.#hasSaidClose || this.socket.writableEnded) return;
    const frame = this.encode({ opcode: OPCODE.pong, payload: due.payload });
    if (due.isOwn) this.#writeRaw(frame);
    else this.write(frame);
  }

  get #cannotWrite(): boolean {
    return this.socket.destroyed || this.socket.writableEnded || this.#isInsideFrame;
  }

  #writeRaw(bytes: Buffer): void {
    if (this.#cannotWrite) return;
    const cut = this.random.chance(0.2) ? this.random.int(0, bytes.length) : 0;
    if (cut > 0) this.socket.write(bytes.subarray(0, cut));
    this.socket.write(bytes.subarray(cut));
  }

  #ended(): void {
    this.record.notices[this.side].endAtMs = performance.now();
    this.record.note(`${this.side} gets FIN`);
    this.#receiver.end();
    this.isTalking = false;
    this.#isOver = true;
    if (this.socket.writableEnded) return;
    if (!this.#hasSaidClose && this.random.chance(0.3) && !this.isMute) {
      this.record.fault(this.side, "close", { isAnswer: true });
      this.close(1000);
    } else if (!this.#hasSaidClose) this.record.fault(this.side, "fin", { isAnswer: true });
    this.socket.end();
  }

  async #drained(): Promise<void> {
    while (this.socket.writableLength > ENOUGH_WAITING_BYTES && this.isTalking) await sleep(10);
  }
}
