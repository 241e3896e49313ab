import { Explainer, judge, speak, type Spoken, type Verdict } from "./differential.fixture.ts";
import type { From } from "./frames.fixture.ts";
import type { FramePolicy } from "./index.ts";
import { type Peer, PONG } from "./relay-stage.contract.ts";

/** One peer: what it has to say and how far it has come, and what the other one hears of it. */
export class Talker {
  readonly peer: Peer;
  readonly from: From;
  readonly spoken: readonly Spoken[];
  readonly verdict: Verdict;
  readonly heard: Explainer;
  /** With its answers to our Pings. */
  readonly #script: Spoken[];
  #frame = 0;
  #offset = 0;
  #answered = 0;
  /** Behind the last answer: they come in the order of the Pings. */
  #answersEnd = 0;

  constructor(peers: readonly [Peer, Peer], from: From, spoken: readonly Spoken[], policy: FramePolicy) {
    this.peer = peers[0];
    this.from = from;
    this.spoken = spoken;
    this.#script = [...spoken];
    this.verdict = judge(spoken, policy);
    const heard = new Explainer(spoken, from);
    this.heard = heard;
    peers[1].socket.on("data", (chunk: Buffer) => heard.take(chunk));
  }

  say(bytes: number): void {
    const parts: Buffer[] = [];
    for (let left = bytes; left > 0 && this.#frame < this.#script.length; ) {
      const { bytes: whole } = this.#script[this.#frame] as Spoken;
      const part = whole.subarray(this.#offset, this.#offset + left);
      parts.push(part);
      left -= part.length;
      this.#offset += part.length;
      if (this.#offset < whole.length) break;
      this.#frame += 1;
      this.#offset = 0;
    }
    if (parts.length > 0 && !this.peer.socket.destroyed) this.peer.say(...parts);
  }

  /** Answers Pings of ours behind the frame under way, as long as somebody can tell where that is. */
  answer(pings: readonly Buffer[]): void {
    const at = Math.max(this.#frame + (this.#offset > 0 ? 1 : 0), this.#answersEnd);
    const lastWord = this.spoken[this.verdict.lastWordAt];
    if (lastWord !== undefined && this.#script.indexOf(lastWord) < at) return;
    const answers = pings.slice(this.#answered).map((payload) => speak(this.from, { opcode: PONG, payload }));
    this.#script.splice(at, 0, ...answers);
    this.#answered = pings.length;
    this.#answersEnd = at + answers.length;
  }
}
