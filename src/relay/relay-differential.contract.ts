import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { conversationsOf, type Explainer, speak, type Spoken } from "./differential.fixture.ts";
import type { From } from "./frames.fixture.ts";
import type { TunnelEnd, TunnelPolicy } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";
import { Talker } from "./talker.fixture.ts";

const { NO_LIMITS, Stage } = stageKit;

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

type Scripts = readonly [client: readonly Spoken[], backend: readonly Spoken[]];

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
  const { client: near, backend: far } = await stage.join({ policy });
  const client = new Talker([near, far], "client", scripts[0], policy);
  const backend = new Talker([far, near], "backend", scripts[1], policy);
  const sides = { client: { talker: client, hears: backend.heard }, backend: { talker: backend, hears: client.heard } };
  for (const move of script) {
    if (move.do === "wait") stage.advance(move.ms);
    else act(sides[move.side], move);
    await turn();
  }
  for (const { peer } of [client, backend]) peer.socket.resume();
  let bytes = -1;
  for (let round = 0; round < 3_000 && stage.ends.length === 0; round += 1) {
    for (const { talker, hears } of [sides.client, sides.backend]) {
      talker.answer(hears.pings);
      talker.say(Infinity);
    }
    stage.advance(round % 2 === 0 ? 50 : 500);
    await turn();
    const before = bytes;
    bytes = near.bytesReceived + far.bytesReceived;
    const isOver = before === bytes && isServed(sides.client) && isServed(sides.backend);
    // A backend that went first would be a lost one.
    if (isOver) near.socket.end();
    if (far.hasEnded) far.socket.end();
  }
  return { end: await stage.end(), client, backend };
}

interface Side {
  readonly talker: Talker;
  readonly hears: Explainer;
}

function act({ talker, hears }: Side, move: Exclude<Move, { do: "wait" }>): void {
  if (move.do === "say") talker.say(move.bytes);
  else if (move.do === "answer") talker.answer(hears.pings);
  else talker.peer.socket[move.do]();
}

/** It has all, or has heard the last of it. */
function isServed({ talker, hears }: Side): boolean {
  return talker.peer.hasEnded || hears.close !== undefined || hears.hasAll || hears.riddle !== undefined;
}

/** The frame that ended the tunnel was this one's. */
const isStopped = ({ verdict, heard }: Talker): boolean => heard.frames === verdict.forbiddenAt && heard.cutBytes === 0;

function check(played: Played): void {
  const { end, client, backend } = played;
  const isDead = end.cause === "client_dead" || end.cause === "backend_dead";
  expect([client.heard.riddle, backend.heard.riddle]).toEqual([undefined, undefined]);
  // Who was not waited for any longer may have lost what was on its way.
  if (end.forced) return;
  // Nothing would have been said to a dead peer: whether a frame was cut there is no news.
  if (!isDead) expect(end.midFrame || ![client, backend].some(isCut)).toBe(true);
  // The message under way when the other's fault ends the tunnel passes to its end, whatever is in it.
  if (!isStopped(backend)) checkBounds(client);
  if (!isStopped(client)) checkBounds(backend);
  if (!isDead) checkEnd(played);
}

/** Between two frames no more comes; where the framing is lost there are none. */
const isCut = ({ heard, verdict }: Talker): boolean => heard.cutBytes > 0 && heard.frames < verdict.lastWordAt;

/** Nothing of what is forbidden passes, no Pong to us, and nothing of ours where it must not be. */
function checkBounds({ heard, verdict }: Talker): void {
  expect(heard.strayPongs).toBe(0);
  expect(heard.frames).toBeLessThanOrEqual(verdict.forbiddenAt);
  if (heard.frames === verdict.forbiddenAt) expect(heard.cutBytes).toBe(0);
  expect(heard.putInAt).toBeLessThanOrEqual(verdict.lastWordAt);
}

/** All passes that is not forbidden, and who is stopped hears why. */
function checkEnd({ end, client, backend }: Played): void {
  const both = [client, backend];
  if (both.every(({ verdict }) => verdict.forbiddenAt === Infinity)) {
    const whole = { hasAll: true, close: undefined };
    // A client that goes by FIN has not said why: its backend hears it from us.
    const isLost = end.cause === "client_lost" && !end.opaque && !end.midFrame;
    expect(both.map(({ heard: { hasAll, close } }) => ({ hasAll, close }))).toEqual([
      { ...whole, close: isLost ? 1_001 : undefined },
      whole,
    ]);
    const sums = both.map(({ spoken }) => spoken.reduce((sum, { bytes }) => sum + bytes.length, 0));
    expect([end.stats.bytesUp, end.stats.bytesDown]).toEqual(sums);
  } else {
    const stopped = both.filter(isStopped);
    expect(stopped.length).toBeGreaterThan(0);
    // Where the framing was lost before, FIN is all there is to say.
    if (end.by === "holdfast" && !end.opaque)
      expect(stopped.some(({ heard, verdict }) => heard.close === verdict.code)).toBe(true);
  }
}

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
