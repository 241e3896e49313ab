import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conversationsOf, Explainer, judge, speak, type Spoken, type Verdict } from "./differential.fixture.ts";
import type { From } from "./frames.fixture.ts";
import type { TunnelEnd, TunnelPolicy } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { NO_LIMITS, PONG, Stage } = stageKit;

/** One of them takes a few seconds in all. */
const RUNS = 60;
const RUNS_WITH_SLOW_READERS = 8;

const either = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | 0> => fc.oneof(fc.constant(0 as const), value);

const strict = fc.constantFrom("Observe" as const, "Enforce" as const);
const silence = fc.constantFrom(0, 1_000, 1_000, 1_000, 5_000);
const anyPolicy = fc.record({
  strictness: strict,
  maxMessageBytes: either(fc.constantFrom(100, 1_000, 65_535, 65_536, 200_000)),
  maxFragments: either(fc.integer({ min: 1, max: 4 })),
  messagesPerSecond: either(fc.integer({ min: 1, max: 20 })),
  bytesPerSecond: either(fc.integer({ min: 5_000, max: 5_000_000 })),
  controlFramesPerSecond: either(fc.integer({ min: 1, max: 20 })),
  pingMs: silence,
  backendPingMs: silence,
  pongTimeoutMs: fc.constantFrom(1_000, 5_000, 60_000),
});
const policies: fc.Arbitrary<TunnelPolicy> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(NO_LIMITS) },
  { weight: 3, arbitrary: anyPolicy.map((policy) => ({ ...NO_LIMITS, ...policy, onLimit: "Pause" as const })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(strict, silence, silence)
      .map(([strictness, pingMs, backendPingMs]) => ({ ...NO_LIMITS, strictness, pingMs, backendPingMs })),
  },
);

type Move =
  | { readonly do: "say"; readonly side: From; readonly bytes: number }
  | { readonly do: "answer" | "pause" | "resume"; readonly side: From }
  | { readonly do: "wait"; readonly ms: number };

const side = fc.constantFrom<From>("client", "backend");
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: 70_000 }),
);
const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("say" as const), side, bytes: sizes }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(50, 500, 1_000, 1_000, 6_000) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("answer" as const, "pause" as const, "resume" as const), side }),
    },
  ),
  { minLength: 4, maxLength: 30, size: "max" },
);

/** A turn of the event loop, so that what was sent arrives. */
const turn = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

/** One peer: what it has to say and how far it has come, and what the other one hears of it. */
class Talker {
  readonly peer: stageKit.Peer;
  readonly from: From;
  readonly spoken: readonly Spoken[];
  readonly verdict: Verdict;
  readonly heard: Explainer;
  /** With its answers to our Pings. */
  readonly #script: Spoken[];
  #frame = 0;
  #offset = 0;
  #answered = 0;

  constructor(
    peers: readonly [stageKit.Peer, stageKit.Peer],
    from: From,
    spoken: readonly Spoken[],
    policy: TunnelPolicy,
  ) {
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
    const at = this.#frame + (this.#offset > 0 ? 1 : 0);
    const lastWord = this.spoken[this.verdict.lastWordAt];
    if (lastWord !== undefined && this.#script.indexOf(lastWord) < at) return;
    const answers = pings.slice(this.#answered).map((payload) => speak(this.from, { opcode: PONG, payload }));
    this.#script.splice(at, 0, ...answers);
    this.#answered = pings.length;
  }
}

interface Played {
  readonly end: TunnelEnd;
  readonly client: Talker;
  readonly backend: Talker;
}

/** Plays a conversation to its end. */
async function play(
  stage: stageKit.Stage,
  policy: TunnelPolicy,
  scripts: Scripts,
  script: readonly Move[],
): Promise<Played> {
  const joined = await stage.join({ policy });
  const talkers = {
    client: new Talker([joined.client, joined.backend], "client", scripts[0], policy),
    backend: new Talker([joined.backend, joined.client], "backend", scripts[1], policy),
  };
  const both = [talkers.client, talkers.backend];
  const heardBy = ({ from }: Talker): Explainer => talkers[from === "client" ? "backend" : "client"].heard;
  for (const move of script) {
    if (move.do === "say") talkers[move.side].say(move.bytes);
    else if (move.do === "answer") talkers[move.side].answer(heardBy(talkers[move.side]).pings);
    else if (move.do === "wait") stage.advance(move.ms);
    else talkers[move.side].peer.socket[move.do]();
    await turn();
  }
  for (const { peer } of both) peer.socket.resume();
  let bytes = -1;
  for (let round = 0; round < 3_000 && stage.ends.length === 0; round += 1) {
    for (const talker of both) {
      talker.answer(heardBy(talker).pings);
      talker.say(Infinity);
    }
    stage.advance(round % 2 === 0 ? 50 : 500);
    await turn();
    const before = bytes;
    bytes = joined.client.bytesReceived + joined.backend.bytesReceived;
    // It is over for a peer that has all, or that has heard the last of it.
    const isOver = both.every((talker) => {
      const heard = heardBy(talker);
      return talker.peer.hasEnded || heard.close !== undefined || heard.hasAll || heard.riddle !== undefined;
    });
    // A backend that went first would be a lost one.
    if (isOver && before === bytes) joined.client.socket.end();
    if (joined.backend.hasEnded) joined.backend.socket.end();
  }
  return { end: await stage.end(), ...talkers };
}

/** The frame that ended the tunnel was this one's. */
const isStopped = ({ verdict, heard }: Talker): boolean => heard.frames === verdict.forbiddenAt && heard.cutBytes === 0;

function check({ end, client, backend }: Played): void {
  const isDead = end.cause === "client_dead" || end.cause === "backend_dead";
  for (const [talker, other] of [
    [client, backend],
    [backend, client],
  ] as const) {
    const { heard, verdict } = talker;
    expect(heard.riddle).toBeUndefined();
    // Nothing would have been said to a dead peer, and where the framing is lost there are no frames to cut.
    if (heard.cutBytes > 0 && heard.frames < verdict.lastWordAt && !isDead) expect(end.midFrame).toBe(true);
    // The message under way when the other's fault ends the tunnel passes to its end, whatever is in it.
    if (isStopped(other)) continue;
    expect(heard.strayPongs).toBe(0);
    expect(heard.frames).toBeLessThanOrEqual(verdict.forbiddenAt);
    if (heard.frames === verdict.forbiddenAt) expect(heard.cutBytes).toBe(0);
    expect(heard.putInAt).toBeLessThanOrEqual(verdict.lastWordAt);
  }
  // Who was not waited for any longer may have lost what was on its way.
  if (isDead || end.forced) return;
  const both = [client, backend];
  if (both.every(({ verdict }) => verdict.forbiddenAt === Infinity)) {
    expect(both.map(({ heard }) => [heard.hasAll, heard.close])).toEqual([
      [true, undefined],
      [true, undefined],
    ]);
    const sums = both.map(({ spoken }) => spoken.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect([end.stats.bytesUp, end.stats.bytesDown]).toEqual(sums);
  } else {
    const stopped = both.filter(isStopped);
    expect(stopped.length).toBeGreaterThan(0);
    if (end.by === "holdfast") expect(stopped.some(({ heard, verdict }) => heard.close === verdict.code)).toBe(true);
  }
}

type Scripts = readonly [client: readonly Spoken[], backend: readonly Spoken[]];

/** Random conversations: what comes out is what went in, but for what users are told. */
export function differentialContract(factory: stageKit.RelayFactory): void {
  // Pings of ours must not look like anybody's.
  const lots = () => 0.731_946_258_3;
  const run = async (policy: TunnelPolicy, scripts: Scripts, script: readonly Move[]) => {
    check(await play(new Stage(factory, lots), policy, scripts, script));
  };
  const bounds = (numRuns: number) => ({ numRuns, interruptAfterTimeLimit: 20_000 });

  describe("the bytes that come out are the bytes that went in, minus what is forbidden and Pongs to us, plus our Pings and Close", () => {
    test("in any conversation under any policy", async () => {
      const talks = fc.tuple(conversationsOf("client"), conversationsOf("backend"));
      await fc.assert(fc.asyncProperty(policies, talks, moves, run), bounds(RUNS));
    });

    test("with slow readers and much to read", async () => {
      const lead = { client: [] as Spoken[], backend: [] as Spoken[] };
      for (const from of ["client", "backend"] as const) {
        const part = speak(from, { payload: [100_000, 7] });
        lead[from] = Array.from({ length: 80 }, () => part);
      }
      const talks = fc
        .tuple(conversationsOf("client"), conversationsOf("backend"))
        .map(([up, down]): [Spoken[], Spoken[]] => [
          [...lead.client, ...up],
          [...lead.backend, ...down],
        ]);
      const begins: Move[] = [
        { do: "pause", side: "client" },
        { do: "pause", side: "backend" },
        { do: "say", side: "client", bytes: 8_000_000 },
        { do: "say", side: "backend", bytes: 8_000_000 },
      ];
      const generous = policies.map((policy) => ({
        ...policy,
        maxMessageBytes: policy.maxMessageBytes === 0 ? 0 : 200_000,
        bytesPerSecond: policy.bytesPerSecond === 0 ? 0 : policy.bytesPerSecond + 1_000_000,
        messagesPerSecond: policy.messagesPerSecond * 10,
      }));
      const slow = moves.map((all) => [...begins, ...all]);
      await fc.assert(fc.asyncProperty(generous, talks, slow, run), bounds(RUNS_WITH_SLOW_READERS));
    });
  });
}
