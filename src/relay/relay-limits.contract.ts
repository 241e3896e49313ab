import { describe, expect, test } from "vitest";
import { closePayload, frame, type FrameShape, type From, longHead, streamOf } from "./frames.fixture.ts";
import type { TunnelPolicy } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, PING, Stage, framesIn, until } = stageKit;

const sides = ["client", "backend"] as const;
const otherSide = (from: From): From => (from === "client" ? "backend" : "client");

const whole = (size: number): Partial<FrameShape> => ({ payload: [size, 1] });
const first = (size: number): Partial<FrameShape> => ({ payload: [size, 2], isFinal: false });
const more = (size: number): Partial<FrameShape> => ({ opcode: 0, payload: [size, 3], isFinal: false });
const last = (size: number): Partial<FrameShape> => ({ opcode: 0, payload: [size, 4] });
const ping: Partial<FrameShape> = { opcode: PING, payload: [125, 5] };
const compressed: Partial<FrameShape> = { ...whole(1_000), reserved: 4 };

interface LimitCase {
  readonly name: string;
  readonly policy: Partial<TunnelPolicy>;
  readonly passes: readonly Partial<FrameShape>[];
  readonly stops: Partial<FrameShape>;
  readonly code: 1_008 | 1_009;
}

const bytes = (maxMessageBytes: number) => ({ policy: { maxMessageBytes }, code: 1_009 }) as const;
const fragments = (maxFragments: number) => ({ policy: { maxFragments }, code: 1_008 }) as const;

const CASES: readonly LimitCase[] = [
  { ...bytes(1_000), name: "a byte above the limit", passes: [whole(1_000), whole(0)], stops: whole(1_001) },
  { ...bytes(125), name: "the first that needs a longer header", passes: [whole(125)], stops: whole(126) },
  { ...bytes(65_535), name: "the first of 64 bits", passes: [whole(65_535)], stops: whole(65_536) },
  { ...bytes(1_000), name: "a whole message that compression made small", passes: [compressed], stops: whole(1_001) },
  {
    ...bytes(1_000),
    name: "fragments together, Pings between them aside",
    passes: [first(600), ping, more(0), more(399), ping, last(1), first(999), ping, more(1)],
    stops: last(1),
  },
  { ...bytes(1_000), name: "a fragment too big of itself", passes: [first(1), ping], stops: more(1_000) },
  { ...fragments(1), name: "any fragment", passes: [whole(9), ping, whole(0), first(9), ping], stops: last(0) },
  {
    ...fragments(3),
    name: "one fragment more",
    passes: [first(1), more(1), last(1), whole(1), first(1), ping, more(1), more(1), ping],
    stops: last(1),
  },
];

function answer(peer: stageKit.Peer, from: From): void {
  peer.socket.end(frame({ opcode: CLOSE, payload: closePayload(1_000) }, from));
}

/** What a message may be: judged before a byte of the frame that is too much passes. */
export function limitsContract(factory: stageKit.RelayFactory): void {
  describe("a limit of messages", () => {
    const cases = CASES.flatMap((one) =>
      sides.flatMap((from) =>
        (["in one piece", "header by header"] as const).map((pieces) => ({ ...one, from, pieces })),
      ),
    );

    test.for(cases)("$name, of a $from, $pieces, is $code to both, and what came before passes", async (row) => {
      const stage = new Stage(factory);
      const { from, policy, code, pieces } = row;
      const to = otherSide(from);
      const negotiated = { subprotocol: undefined, reservedBits: 0x40 };
      const joined = await stage.join({ policy, negotiated });
      const [before, over] = [streamOf(row.passes, from), frame(row.stops, from)];
      if (pieces === "in one piece") joined[from].say(before, over, frame(whole(1), from));
      else {
        joined[from].say(before);
        for (const byte of over.subarray(0, 20)) joined[from].say(Buffer.of(byte));
        joined[from].say(over.subarray(20), frame(whole(1), from));
      }
      await until(() =>
        expect([joined[to].hasEnded, joined[to].bytesReceived]).toEqual([
          false,
          before.length + (to === "client" ? 4 : 8),
        ]),
      );
      expect(joined[to].received.subarray(0, before.length).equals(before)).toBe(true);
      await until(() => expect([joined[to].closeCodes, joined[from].closeCodes]).toEqual([[code], [code]]));
      expect([joined[to].hasEnded, joined[from].hasEnded]).toEqual([false, false]);
      answer(joined.client, "client");
      answer(joined.backend, "backend");
      const cause = code === 1_009 ? "message_too_big" : "too_many_fragments";
      const codes = { codeToClient: code, codeToBackend: code };
      expect(await stage.end()).toMatchObject({ by: "holdfast", cause, ...codes, midFrame: false, opaque: false });
      expect([joined.client.error, joined.backend.error]).toEqual([undefined, undefined]);
    });

    test.for(sides)(
      "needs no byte of payload of a %s, and a length that cannot be counted is too big",
      async (from) => {
        for (const head of [longHead(1, 0, from), longHead(0x8000_0000, 0, from)]) {
          const stage = new Stage(factory);
          const { client, backend } = await stage.join({ policy: { maxMessageBytes: 1_000_000 } });
          (from === "client" ? client : backend).say(head);
          await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_009], [1_009]]));
          answer(client, "client");
          answer(backend, "backend");
          expect(await stage.end()).toMatchObject({ cause: "message_too_big", midFrame: false });
        }
      },
    );

    test.for(sides)(
      "lets a %s that goes on sending see the code: what it sends is read and discarded",
      async (from) => {
        const stage = new Stage(factory);
        const to = otherSide(from);
        const joined = await stage.join({ policy: { maxMessageBytes: 2 ** 20 } });
        const faulty = joined[from];
        faulty.socket.pause();
        faulty.say(frame({ payload: [32 * 2 ** 20, 1] }, from));
        await until(() => expect(joined[to].closeCodes).toEqual([1_009]));
        answer(joined[to], to);
        await until(() => expect(faulty.socket.writableLength).toBe(0));
        faulty.socket.resume();
        await until(() => expect(faulty.closeCodes).toEqual([1_009]));
        answer(faulty, from);
        expect(await stage.end()).toMatchObject({ cause: "message_too_big" });
        expect(faulty.error).toBeUndefined();
      },
    );

    test.for(sides)("judges what a %s sent behind its handshake", async (from) => {
      const stage = new Stage(factory);
      const early = streamOf([whole(100), whole(101), whole(1)], from);
      const joined = await stage.join({ policy: { maxMessageBytes: 100 }, [`${from}Early`]: early });
      const to = otherSide(from);
      await until(() => expect([joined[from].closeCodes, joined[to].closeCodes]).toEqual([[1_009], [1_009]]));
      expect(framesIn(joined[to].received).map(({ payload }) => payload.length)).toEqual([100, 2]);
      joined.tunnel.cut();
      expect((await stage.end()).cause).toBe("message_too_big");
    });

    test("does not hold what a faulty frame is, where faults are only observed", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join({ policy: { maxMessageBytes: 100, maxFragments: 2 } });
      const sent = streamOf(
        [{ ...whole(100), reserved: 7 }, { ...whole(5), lengthBytes: 8 }, { opcode: 3 }, whole(500)],
        "client",
      );
      client.say(sent);
      await until(() => expect(backend.received.equals(sent)).toBe(true));
      tunnel.cut();
      expect(await stage.end()).toMatchObject({ opaque: true, clientFaults: { count: 3, first: "reserved_bits" } });
    });
  });

  describe("a limit of messages changed under a live tunnel", () => {
    const join = async (policy: Partial<TunnelPolicy>) => {
      const stage = new Stage(factory);
      const joined = await stage.join({ policy });
      const change = (next: Partial<TunnelPolicy>) => {
        joined.policy.current = { ...stageKit.NO_LIMITS, ...next };
        stage.relay.policiesChanged();
      };
      return { stage, ...joined, change };
    };

    test("inside a frame holds from the next message on", async () => {
      const { stage, client, backend, change } = await join({});
      const big = frame(whole(10_000), "client");
      client.say(big.subarray(0, 5_000));
      await until(() => expect(backend.bytesReceived).toBe(5_000));
      change({ maxMessageBytes: 100 });
      client.say(big.subarray(5_000), frame(whole(100), "client"), frame(whole(101), "client"));
      await until(() => expect(backend.closeCodes).toEqual([1_009]));
      expect(framesIn(backend.received).map(({ payload }) => payload.length)).toEqual([10_000, 100, 2]);
      answer(client, "client");
      answer(backend, "backend");
      expect(await stage.end()).toMatchObject({ cause: "message_too_big", midFrame: false });
    });

    test("inside a message counts what it has seen of it under the limit before", async () => {
      const { stage, client, backend, change } = await join({ maxMessageBytes: 1_000 });
      client.say(streamOf([first(400), more(400)], "client"));
      await until(() => expect(backend.bytesReceived).toBe(816));
      change({ maxMessageBytes: 900, maxFragments: 5 });
      client.say(streamOf([more(100), last(1)], "client"));
      await until(() => expect(backend.closeCodes).toEqual([1_009]));
      expect(framesIn(backend.received).map(({ payload }) => payload.length)).toEqual([400, 400, 100, 2]);
      answer(client, "client");
      answer(backend, "backend");
      expect((await stage.end()).cause).toBe("message_too_big");
    });

    test.for(["inside a frame", "inside a header"] as const)("and taken away %s lets all pass", async (place) => {
      const { stage, client, backend, tunnel, change } = await join({ maxMessageBytes: 1_000, strictness: "Enforce" });
      const sent = streamOf([first(500), last(500), first(500), last(70_000), whole(70_000)], "client");
      // 8 bytes of header, 6 of which decide nothing yet.
      const cut = 3 * 508 + (place === "inside a header" ? 6 : -100);
      client.say(sent.subarray(0, cut));
      await until(() => expect(backend.bytesReceived).toBe(Math.min(cut, 3 * 508)));
      change({});
      client.say(sent.subarray(cut));
      await until(() => expect(backend.received.equals(sent)).toBe(true));
      tunnel.cut();
      expect((await stage.end()).stats.messagesUp).toBe(3);
    });
  });
}
