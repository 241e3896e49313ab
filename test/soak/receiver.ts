import { closeCode, FrameReader, OPCODE, type ReadFrame } from "./frames.ts";
import { messageProblem } from "./payload.ts";
import type { Side, TunnelRecord } from "./tunnel-record.ts";

/** What a side does about what comes. */
export interface Listener {
  /** A Ping, and whether it is the proxy's own. */
  pinged(payload: Buffer, isOwn: boolean): void;
  /** A Close, and whether it is the proxy's own. */
  closed(code: number, isOwn: boolean): void;
  /** Pings of the other side that are not answered yet. */
  readonly unanswered: number;
}

/** Judges what comes to one side of a tunnel against what the other side has sent. */
export class Receiver {
  readonly #record: TunnelRecord;
  readonly #side: Side;
  readonly #from: Side;
  readonly #listener: Listener;
  readonly #reader = new FrameReader();
  #fragments: Buffer[] = [];
  #isInMessage = false;
  #sequence = 0;
  #hasFailed = false;

  constructor(record: TunnelRecord, side: Side, listener: Listener) {
    this.#record = record;
    this.#side = side;
    this.#from = side === "client" ? "backend" : "client";
    this.#listener = listener;
  }

  push(chunk: Buffer): void {
    if (this.#hasFailed) return;
    this.#reader.push(chunk);
    const ledger = this.#record.sent[this.#from];
    while (!this.#hasFailed) {
      if (ledger.isAtRaw) {
        if (!ledger.takeRaw(this.#reader.takeRest()))
          this.#fail("got other bytes than were sent, after framing was lost");
        return;
      }
      const frame = this.#reader.next();
      if (frame === undefined) return;
      this.#take(frame);
    }
  }

  /** The stream has ended. */
  end(): void {
    const rest = this.#reader.takeRest();
    if (rest.length === 0 || this.#hasFailed) return;
    const { notices, sent } = this.#record;
    notices[this.#side].isTruncated = true;
    if (notices[this.#side].closeAtMs !== undefined) this.#fail(`got ${rest.length} bytes behind a Close`);
    else if (!sent[this.#from].beginsWith(rest)) this.#fail(`got ${rest.length} bytes at the end that nobody sent`);
  }

  #take(frame: ReadFrame): void {
    const what = `${frameName(frame)} of ${frame.payload.length} bytes`;
    if (this.#record.notices[this.#side].closeAtMs !== undefined) {
      this.#fail(`got ${what} behind a Close`);
    } else if (this.#record.sent[this.#from].take(frame.raw)) {
      this.#takeSent(frame);
    } else if (frame.opcode === OPCODE.ping) this.#takeOwnPing(frame);
    else if (frame.opcode === OPCODE.close) this.#takeClose(frame, true);
    else {
      const { waiting } = this.#record.sent[this.#from];
      this.#fail(
        `got a ${what} (${frame.raw.subarray(0, 24).toString("hex")}) that is not the next of ${waiting} sent`,
      );
    }
  }

  #takeSent(frame: ReadFrame): void {
    if (frame.opcode === OPCODE.close) this.#takeClose(frame, false);
    else if (frame.opcode === OPCODE.ping) this.#listener.pinged(frame.payload, false);
    else if (frame.opcode < 8) this.#takeData(frame);
  }

  #takeData(frame: ReadFrame): void {
    if ((frame.opcode === OPCODE.continuation) !== this.#isInMessage) return this.#fail("fragments out of order");
    this.#fragments.push(frame.payload);
    this.#isInMessage = !frame.isFinal;
    if (!frame.isFinal) return;
    const bytes = Buffer.concat(this.#fragments);
    this.#fragments = [];
    const name = { tunnel: this.#record.id, side: this.#from, sequence: this.#sequence };
    this.#sequence += 1;
    const problem = messageProblem(bytes, name);
    if (problem !== undefined) this.#fail(problem);
  }

  #takeOwnPing(frame: ReadFrame): void {
    const { keepalive } = this.#record.rule;
    this.#checkOwn(frame);
    this.#record.ownPings += 1;
    this.#record.note(`${this.#side} gets a Ping of the proxy's (${frame.payload.toString("hex")})`);
    const isOn = this.#side === "client" ? keepalive?.ping : keepalive?.backendPing;
    if (isOn !== true) this.#fail("got a Ping that nobody sent, under a rule without Pings");
    if (this.#listener.unanswered > 0) {
      this.#fail(`got a Ping of the proxy's while ${this.#listener.unanswered} of the other side's were unanswered`);
    }
    this.#listener.pinged(frame.payload, true);
  }

  #takeClose(frame: ReadFrame, isOwn: boolean): void {
    if (isOwn) this.#checkOwn(frame);
    const code = closeCode(frame.payload);
    const notice = this.#record.notices[this.#side];
    notice.closeAtMs = performance.now();
    notice.closeCode = code;
    notice.isCloseOurs = isOwn;
    this.#record.note(`${this.#side} gets Close ${code} of ${isOwn ? "the proxy's" : "the other side's"}`);
    this.#listener.closed(code, isOwn);
  }

  /** Frames of the proxy's own are as a frame to that side must be. */
  #checkOwn(frame: ReadFrame): void {
    if ((frame.key !== undefined) !== (this.#side === "backend"))
      this.#fail(`got a ${frameName(frame)} masked wrongly`);
    if (!frame.isFinal || frame.reserved !== 0 || frame.payload.length > 125) {
      this.#fail(`got a ${frameName(frame)} of the proxy's that is not lawful: ${frame.raw.toString("hex")}`);
    }
  }

  #fail(problem: string): void {
    this.#hasFailed = true;
    this.#record.problem(`${this.#side} ${problem}`);
  }
}

function frameName({ opcode }: ReadFrame): string {
  return Object.entries(OPCODE).find(([, value]) => value === opcode)?.[0] ?? `frame with opcode ${opcode}`;
}
