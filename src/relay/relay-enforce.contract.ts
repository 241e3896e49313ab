import { describe, expect, test } from "vitest";
import { closePayload, frame, type FrameShape, type From, longHead, streamOf } from "./frames.fixture.ts";
import type { FrameFault } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, PING, Stage, TEXT, framesIn, until } = stageKit;

const HELLO: Partial<FrameShape> = { opcode: TEXT, payload: Buffer.from("hello") };
const OPEN: Partial<FrameShape> = { ...HELLO, isFinal: false };
const ENFORCE = { strictness: "Enforce" } as const;

interface FaultCase {
  readonly name: string;
  readonly fault: FrameFault;
  readonly bytes: (from: From) => Buffer;
  /** Inside a fragmented message, else between two messages. */
  readonly isInside?: true;
  readonly losesFraming?: true;
}

const of = (shape: Partial<FrameShape>) => (from: From) => frame(shape, from);
const otherSide = (from: From): From => (from === "client" ? "backend" : "client");
const BAD_REASON = closePayload(1_000, Buffer.of(0xff));

const FAULTS: readonly FaultCase[] = [
  { name: "RSV1 without an extension", fault: "reserved_bits", bytes: of({ ...HELLO, reserved: 4 }) },
  { name: "RSV3 on a Ping", fault: "reserved_bits", bytes: of({ opcode: PING, reserved: 1 }) },
  { name: "opcode 3", fault: "reserved_opcode", bytes: of({ ...HELLO, opcode: 3 }), losesFraming: true },
  { name: "opcode 11", fault: "reserved_opcode", bytes: of({ ...HELLO, opcode: 11 }), losesFraming: true },
  { name: "half a Ping", fault: "bad_control", bytes: of({ ...OPEN, opcode: PING }), losesFraming: true },
  {
    name: "126 bytes of Ping",
    fault: "bad_control",
    bytes: of({ opcode: PING, payload: [126, 1] }),
    losesFraming: true,
  },
  {
    name: "a mask where there is none, or none where there is one",
    fault: "bad_mask",
    bytes: (from) => frame(HELLO, otherSide(from)),
    losesFraming: true,
  },
  { name: "16 bits for 5 bytes", fault: "bad_length", bytes: of({ ...HELLO, lengthBytes: 2 }) },
  { name: "64 bits for 5 bytes", fault: "bad_length", bytes: of({ ...HELLO, lengthBytes: 8 }) },
  { name: "2^63 bytes", fault: "bad_length", bytes: (from) => longHead(0x8000_0000, 0, from), losesFraming: true },
  { name: "the rest of nothing", fault: "bad_continuation", bytes: of({ ...HELLO, opcode: 0 }), losesFraming: true },
  { name: "a new message", fault: "bad_continuation", bytes: of(HELLO), isInside: true, losesFraming: true },
  {
    name: "RSV2 on a fragment",
    fault: "reserved_bits",
    bytes: of({ ...OPEN, opcode: 0, reserved: 2 }),
    isInside: true,
  },
  { name: "a Close of one byte", fault: "bad_close", bytes: of({ opcode: CLOSE, payload: Buffer.of(3) }) },
  { name: "a Close of 1005", fault: "bad_close", bytes: of({ opcode: CLOSE, payload: closePayload(1_005) }) },
  {
    name: "a Close without UTF-8",
    fault: "bad_close",
    bytes: of({ opcode: CLOSE, payload: BAD_REASON }),
    isInside: true,
  },
];

const sides = ["client", "backend"] as const;

/** Says Close as an answer, and ends TCP. */
function answer(peer: stageKit.Peer, from: From): void {
  peer.socket.end(frame({ opcode: CLOSE, payload: closePayload(1_002) }, from));
}

/** Rules of RFC 6455 that end a tunnel which breaks them. */
export function enforceContract(factory: stageKit.RelayFactory): void {
  describe("where the rules are enforced", () => {
    const cases = FAULTS.flatMap((one) =>
      sides.flatMap((from) => (["in one piece", "byte by byte"] as const).map((pieces) => ({ ...one, from, pieces }))),
    );

    test.for(cases)("$name of a $from, $pieces, is 1002 to both, and what came before has passed", async (row) => {
      const stage = new Stage(factory);
      const joined = await stage.join({ policy: ENFORCE });
      const { from, pieces, fault } = row;
      const to = otherSide(from);
      const before = streamOf(row.isInside ? [HELLO, OPEN] : [OPEN, { ...HELLO, opcode: 0 }, HELLO], from);
      const sent = Buffer.concat([before, row.bytes(from), streamOf([HELLO, HELLO], from)]);
      if (pieces === "in one piece") joined[from].say(sent);
      else for (const byte of sent) joined[from].say(Buffer.of(byte));
      await until(() => expect([joined[from].closeCodes, joined[to].closeCodes]).toEqual([[1_002], [1_002]]));
      expect(joined[to].received.subarray(0, before.length).equals(before)).toBe(true);
      expect(framesIn(joined[to].received.subarray(before.length))).toMatchObject([{ opcode: CLOSE }]);
      // A Close of its own, if only a bad one, is all that is awaited of a peer.
      if (fault !== "bad_close") expect([joined[from].hasEnded, joined[to].hasEnded]).toEqual([false, false]);
      answer(joined[from], from);
      answer(joined[to], to);
      const end = await stage.end();
      const codes = { codeToClient: 1_002, codeToBackend: 1_002 };
      expect(end).toMatchObject({ by: "holdfast", cause: "protocol_error", ...codes, midFrame: false, opaque: false });
      expect(end[`${from}Faults`]?.first).toBe(fault);
      expect(end[`${from}Faults`]?.count).toBeGreaterThanOrEqual(1);
      expect(end[`${to}Faults`]).toBeUndefined();
      expect([joined.client.error, joined.backend.error]).toEqual([undefined, undefined]);
    });

    describe.for(sides)("behind a fault of the %s that loses the framing", (from) => {
      const to = otherSide(from);
      const join = async () => {
        const stage = new Stage(factory);
        const joined = await stage.join({ policy: ENFORCE });
        joined[from].say(frame({ ...HELLO, opcode: 3 }, from));
        await until(() => expect([joined[from].closeCodes, joined[to].closeCodes]).toEqual([[1_002], [1_002]]));
        return { stage, faulty: joined[from], other: joined[to] };
      };

      test("the other side's Close is honoured at once", async () => {
        const { stage, faulty, other } = await join();
        other.say(frame({ opcode: CLOSE, payload: closePayload(1_002) }, to));
        await until(() => expect(other.hasEnded).toBe(true));
        faulty.socket.end();
        other.socket.end();
        expect((await stage.end()).cause).toBe("protocol_error");
      });

      test("so is the FIN of the faulty one", async () => {
        const { stage, faulty, other } = await join();
        faulty.socket.end(frame({ opcode: CLOSE, payload: closePayload(1_002) }, from));
        await until(() => expect(faulty.hasEnded).toBe(true));
        answer(other, to);
        expect(await stage.end()).toMatchObject({ cause: "protocol_error", codeToClient: 1_002, codeToBackend: 1_002 });
      });

      test("the tunnel comes to its end after the linger, whoever is silent or babbles on", async () => {
        const { stage, faulty, other } = await join();
        faulty.say(Buffer.alloc(1_000, 0xff), frame({ opcode: CLOSE, payload: closePayload(1_002) }, from));
        stage.advance(4_900);
        expect([faulty.hasEnded, other.hasEnded]).toEqual([false, false]);
        stage.advance(200);
        await until(() => expect([faulty.hasEnded, other.hasEnded]).toEqual([true, true]));
        stage.advance(5_100);
        expect(await stage.end()).toMatchObject({ cause: "protocol_error", opaque: false, midFrame: false });
      });
    });

    test.for(sides)(
      "a fault of the %s while the other is inside a message: its end is awaited, then 1002",
      async (from) => {
        const to = otherSide(from);
        const stage = new Stage(factory);
        const joined = await stage.join({ policy: ENFORCE });
        const [start, rest] = [frame(OPEN, to), frame({ opcode: 0, payload: [900, 7] }, to)];
        joined[to].say(start, rest.subarray(0, 300));
        await until(() => expect(joined[from].bytesReceived).toBe(start.length + 300));
        joined[from].say(frame({ ...HELLO, reserved: 1 }, from));
        await until(() => expect(joined[to].closeCodes).toEqual([1_002]));
        joined[to].say(rest.subarray(300), frame(HELLO, to));
        await until(() => expect(joined[from].closeCodes).toEqual([1_002]));
        expect(framesIn(joined[from].received).map(({ payload }) => payload.length)).toEqual([5, 900, 2]);
        answer(joined[from], from);
        answer(joined[to], to);
        expect(await stage.end()).toMatchObject({ cause: "protocol_error", midFrame: false });
      },
    );

    test.for(sides)("bytes that a %s sent behind its handshake are judged as well", async (from) => {
      const stage = new Stage(factory);
      const early = streamOf([HELLO, { ...HELLO, reserved: 1 }, HELLO], from);
      const { client, backend } = await stage.join({ policy: ENFORCE, [`${from}Early`]: early });
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_002], [1_002]]));
      const received = [client, backend].map((peer) => framesIn(peer.received).length);
      expect(received).toEqual(from === "client" ? [1, 2] : [2, 1]);
      answer(client, "client");
      answer(backend, "backend");
      expect((await stage.end()).cause).toBe("protocol_error");
    });

    test("bits of a negotiated extension, and everything lawful, pass in both directions, byte by byte too", async () => {
      const stage = new Stage(factory);
      const negotiated = { subprotocol: undefined, reservedBits: 0x40 };
      const joined = await stage.join({ policy: ENFORCE, negotiated });
      const compressed = { ...OPEN, reserved: 4 };
      const rest = { opcode: 0, payload: [126, 1] } as const;
      const lawful = [compressed, { opcode: PING, payload: [125, 1] }, rest, HELLO, { payload: [65_536, 1] }] as const;
      for (const from of sides) {
        const sent = streamOf(lawful, from);
        joined[from].say(sent.subarray(0, 200));
        for (const byte of sent.subarray(200, 300)) joined[from].say(Buffer.of(byte));
        joined[from].say(sent.subarray(300));
        await until(() => expect(joined[otherSide(from)].received.equals(sent)).toBe(true));
      }
      joined.tunnel.cut();
      expect(await stage.end()).toMatchObject({ clientFaults: undefined, backendFaults: undefined });
    });

    test("half a header is held, and passes when its sender goes", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join({ policy: ENFORCE });
      const half = frame({ payload: [300, 1] }, "client").subarray(0, 5);
      client.socket.end(half);
      await until(() => expect(backend.hasEnded).toBe(true));
      expect(backend.received).toEqual(half);
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_lost", midFrame: true });
    });

    test("behind a Close nothing is judged, and a fault before the answer to one ends the tunnel in time", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join({ policy: ENFORCE });
      client.say(streamOf([{ opcode: CLOSE, payload: closePayload(1_000) }, { opcode: 3 }], "client"));
      await until(() => expect(framesIn(backend.received.subarray(0, 8))).toMatchObject([{ opcode: CLOSE }]));
      const before = frame(HELLO, "backend");
      backend.say(before, frame({ ...HELLO, reserved: 1 }, "backend"));
      await until(() => expect(backend.hasEnded).toBe(true));
      expect(framesIn(client.received)[0]).toMatchObject({ opcode: TEXT });
      expect(client.received.includes(Buffer.of(0x91))).toBe(false);
      stage.advance(5_100);
      await until(() => expect(client.hasEnded).toBe(true));
      stage.advance(5_100);
      expect(await stage.end()).toMatchObject({ cause: "client_close", clientFaults: undefined });
    });
  });

  describe("strictness changed under a live tunnel", () => {
    test("holds from the next frame on; what was under way passes", async () => {
      const stage = new Stage(factory);
      const { client, backend, policy } = await stage.join();
      const bad = frame({ reserved: 1, payload: [100, 1] }, "client");
      client.say(bad, bad.subarray(0, 50));
      await until(() => expect(backend.bytesReceived).toBe(bad.length + 50));
      policy.current = { ...stageKit.NO_LIMITS, ...ENFORCE };
      stage.relay.policiesChanged();
      client.say(bad.subarray(50), frame(HELLO, "client"), bad);
      await until(() => expect(backend.closeCodes).toEqual([1_002]));
      expect(framesIn(backend.received).map(({ payload }) => payload.length)).toEqual([100, 100, 5, 2]);
      answer(client, "client");
      answer(backend, "backend");
      expect(await stage.end()).toMatchObject({ cause: "protocol_error", clientFaults: { count: 3 } });
    });

    test("and taken away while half a header was held: all passes from then on, in order", async () => {
      const stage = new Stage(factory);
      const { client, backend, policy, tunnel } = await stage.join({ policy: ENFORCE });
      const bad = frame({ reserved: 1, payload: [300, 1] }, "client");
      const hello = frame(HELLO, "client");
      const held = frame({ payload: [300, 2] }, "client");
      client.say(hello, held.subarray(0, 3));
      await until(() => expect(backend.bytesReceived).toBe(hello.length));
      policy.current = stageKit.NO_LIMITS;
      stage.relay.policiesChanged();
      client.say(held.subarray(3), bad, hello);
      const wanted = Buffer.concat([hello, held, bad, hello]);
      await until(() => expect(backend.received.equals(wanted)).toBe(true));
      tunnel.cut();
      expect(await stage.end()).toMatchObject({ clientFaults: { count: 1, first: "reserved_bits" } });
    });
  });
}
