import { describe, expect, test } from "vitest";
import { closePayload, frame, type FrameShape, type From, streamOf } from "./frames.fixture.ts";
import type { TunnelPolicy } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, PING, PONG, Stage, framesIn, until } = stageKit;

const PAUSE = { onLimit: "Pause" } as const;

/** So many tiny messages, each with its number in it. */
function numbered(count: number, opcode = 2): Partial<FrameShape>[] {
  return Array.from({ length: count }, (_, index) => ({ opcode, payload: Uint8Array.of(index >> 8, index & 0xff) }));
}

const numbersIn = (peer: stageKit.Peer): number[] =>
  framesIn(peer.received)
    .filter(({ opcode }) => opcode !== CLOSE)
    .map(({ payload }) => payload.readUInt16BE(0));

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const close = (from: From, code = 1_000): Buffer => frame({ opcode: CLOSE, payload: closePayload(code) }, from);

function answer(peer: stageKit.Peer, from: From): void {
  peer.socket.end(close(from));
}

/** What a client may send per second. */
export function ratesContract(factory: stageKit.RelayFactory): void {
  const join = async (policy: Partial<TunnelPolicy>, clientEarly?: Uint8Array) => {
    const stage = new Stage(factory);
    const joined = await stage.join({ policy, ...(clientEarly && { clientEarly }) });
    const change = (next: Partial<TunnelPolicy>) => {
      joined.policy.current = { ...stageKit.NO_LIMITS, ...next };
      stage.relay.policiesChanged();
    };
    const finish = async () => {
      answer(joined.client, "client");
      answer(joined.backend, "backend");
      return await stage.end();
    };
    return { stage, ...joined, change, finish };
  };

  describe.for([
    { kind: "messages", opcode: 2, rate: (perSecond: number) => ({ messagesPerSecond: perSecond }) },
    { kind: "control frames", opcode: PING, rate: (perSecond: number) => ({ controlFramesPerSecond: perSecond }) },
  ] as const)("a rate of $kind", ({ opcode, rate }) => {
    test.for(["in one packet", "as early bytes"] as const)(
      "lets a second's worth through at once and the rest go on at its pace, in order and complete, %s",
      async (way) => {
        const sent = streamOf(numbered(300, opcode), "client");
        const { stage, client, backend, finish } = await join(
          { ...rate(40), ...PAUSE },
          way === "as early bytes" ? sent : undefined,
        );
        if (way === "in one packet") client.say(sent);
        await until(() => expect(numbersIn(backend)).toEqual(upTo(40)));
        for (let second = 1; second <= 7; second += 1) {
          stage.advance(1_000);
          const due = Math.min(40 * (second + 1), 300);
          await until(() => expect(numbersIn(backend).length).toBeGreaterThanOrEqual(due - 2));
          expect(numbersIn(backend).length).toBeLessThanOrEqual(due);
        }
        await until(() => expect(numbersIn(backend)).toEqual(upTo(300)));
        stage.advance(2_000);
        client.say(frame({ opcode: 1, payload: Uint8Array.of(1, 44) }, "client"));
        await until(() => expect(numbersIn(backend)).toEqual(upTo(301)));
        expect(await finish()).toMatchObject({ midFrame: false, stats: { bytesUp: sent.length + 8 + 8 } });
      },
    );

    test("is 1008 to both where the policy says Close, with nothing above it passed", async () => {
      const { client, backend, finish } = await join({ ...rate(40), onLimit: "Close" });
      client.say(streamOf(numbered(300, opcode), "client"));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_008], [1_008]]));
      expect(numbersIn(backend)).toEqual(upTo(40));
      expect(await finish()).toMatchObject({
        by: "holdfast",
        cause: "rate_limit",
        codeToClient: 1_008,
        codeToBackend: 1_008,
      });
    });

    test("that is kept to is no limit, however long", async () => {
      const { stage, client, backend, finish } = await join({ ...rate(20), onLimit: "Close" });
      const all = numbered(600, opcode);
      for (let at = 0; at < all.length; at += 20) {
        client.say(streamOf(all.slice(at, at + 20), "client"));
        await until(() => expect(numbersIn(backend)).toHaveLength(at + 20));
        stage.advance(1_050);
      }
      expect((await finish()).cause).not.toBe("rate_limit");
    });

    test("holds for the client only", async () => {
      // Enforced, so that frames of the backend are looked at as well.
      const { client, backend, finish } = await join({ ...rate(1), onLimit: "Close", strictness: "Enforce" });
      backend.say(streamOf(numbered(300, opcode), "backend"));
      await until(() => expect(numbersIn(client)).toEqual(upTo(300)));
      expect((await finish()).cause).not.toBe("rate_limit");
    });

    test("lets a Close pass in its place, behind what waits", async () => {
      const { stage, client, backend } = await join({ ...rate(40), ...PAUSE });
      client.say(streamOf(numbered(100, opcode), "client"), close("client", 4_000));
      await until(() => expect(numbersIn(backend)).toEqual(upTo(40)));
      stage.advance(1_000);
      expect(backend.closeCodes).toEqual([]);
      stage.advance(1_000);
      await until(() => expect(backend.closeCodes).toEqual([4_000]));
      expect(numbersIn(backend)).toEqual(upTo(100));
      answer(backend, "backend");
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_close", codeToBackend: 4_000, midFrame: false });
    });
  });

  describe("a rate of messages", () => {
    test("counts a fragmented one once, and never what comes between and behind its fragments", async () => {
      const { client, backend, finish } = await join({ messagesPerSecond: 1, onLimit: "Close" });
      const part = { isFinal: false, payload: [2, 0] } as const;
      const rest = Array.from(
        { length: 50 },
        () =>
          [
            { opcode: PING, payload: [2, 0] },
            { ...part, opcode: 0 },
          ] as const,
      );
      const sent = streamOf(
        [part, ...rest.flat(), { opcode: 0, payload: [2, 0] }, { opcode: PING, payload: [2, 0] }],
        "client",
      );
      client.say(sent);
      await until(() => expect(backend.received.equals(sent)).toBe(true));
      client.say(frame({ payload: [2, 0] }, "client"));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_008], [1_008]]));
      expect(await finish()).toMatchObject({ cause: "rate_limit", stats: { messagesUp: 2 } });
    });

    test("and one of control frames hold beside each other", async () => {
      const policy = { messagesPerSecond: 10, controlFramesPerSecond: 20, bytesPerSecond: 1_000_000, ...PAUSE };
      const { stage, client, backend, finish } = await join(policy);
      client.say(streamOf([...numbered(10), ...numbered(20, PING)], "client"));
      await until(() => expect(framesIn(backend.received)).toHaveLength(30));
      client.say(streamOf([...numbered(1, PING), ...numbered(1)], "client"));
      stage.advance(50);
      await until(() => expect(framesIn(backend.received).slice(30)).toMatchObject([{ opcode: PING }]));
      stage.advance(100);
      await until(() => expect(framesIn(backend.received)).toHaveLength(32));
      await finish();
    });
  });

  describe("a rate of bytes", () => {
    const big = frame({ payload: [5_000 - 8, 7] }, "client");

    test("lets what was read pass, and reads on when it is paid for", async () => {
      const { stage, client, backend, finish } = await join({ bytesPerSecond: 1_000, ...PAUSE });
      client.say(big);
      await until(() => expect(backend.received.equals(big)).toBe(true));
      client.say(big);
      stage.advance(3_950);
      expect(backend.bytesReceived).toBe(big.length);
      stage.advance(150);
      await until(() => expect(backend.received.equals(Buffer.concat([big, big]))).toBe(true));
      stage.advance(6_000);
      await finish();
    });

    test("counts what passed before a message that has to wait for another rate", async () => {
      const { stage, client, backend, finish } = await join({ messagesPerSecond: 10, bytesPerSecond: 100, ...PAUSE });
      const one = frame({ payload: [94, 1] }, "client");
      client.say(...Array.from({ length: 11 }, () => one));
      await until(() => expect(backend.bytesReceived).toBe(1_000));
      stage.advance(8_900);
      client.say(one);
      stage.advance(50);
      expect(backend.bytesReceived).toBe(1_000);
      stage.advance(150);
      await until(() => expect(backend.bytesReceived).toBe(1_100));
      stage.advance(5_000);
      await until(() => expect(backend.bytesReceived).toBe(1_200));
      stage.advance(2_000);
      await finish();
    });

    test("of one second may be sent at once, and is no limit to who keeps to it", async () => {
      const { stage, client, backend, finish } = await join({ bytesPerSecond: 5_000, onLimit: "Close" });
      for (let turn = 1; turn <= 5; turn += 1) {
        client.say(big);
        await until(() => expect(backend.bytesReceived).toBe(turn * 5_000));
        stage.advance(1_050);
      }
      expect((await finish()).cause).not.toBe("rate_limit");
    });

    test("is 1008 to both where the policy says Close, behind the message under way", async () => {
      const { client, backend, finish } = await join({ bytesPerSecond: 4_999, onLimit: "Close" });
      client.say(big.subarray(0, 4_000));
      await until(() => expect(backend.bytesReceived).toBe(4_000));
      client.say(big.subarray(4_000), big.subarray(0, 3));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_008], [1_008]]));
      expect(framesIn(backend.received).map(({ payload }) => payload.length)).toEqual([4_992, 2]);
      expect(await finish()).toMatchObject({ cause: "rate_limit", midFrame: false });
    });

    test("holds for the client only, and passes backpressure on to it", async () => {
      const { stage, client, backend, tunnel } = await join({ bytesPerSecond: 100_000, ...PAUSE });
      const flood = Buffer.alloc(8 * 2 ** 20);
      client.say(frame({ payload: flood }, "client"));
      backend.say(frame({ payload: flood }, "backend"));
      await until(() => expect(client.bytesReceived).toBe(flood.length + 10));
      for (let second = 1; second <= 10; second += 1) {
        stage.advance(1_000);
        // A read may be above the rate, and is waited for.
        await until(() => expect(backend.bytesReceived).toBeGreaterThan(second * 100_000 - 50_000));
        expect(backend.bytesReceived).toBeLessThan((second + 1) * 100_000 + 128 * 1_024);
      }
      expect(client.socket.writableLength).toBeGreaterThan(2 ** 20);
      tunnel.cut();
      expect((await stage.end()).cause).toBe("cut");
    });
  });

  test("Pongs to Pings of ours count for no rate", async () => {
    const keepalive = { pingMs: 10_000, pongTimeoutMs: 5_000 };
    const policy = { controlFramesPerSecond: 1, bytesPerSecond: 20, onLimit: "Close", ...keepalive } as const;
    const { stage, client, backend, finish } = await join(policy);
    for (let turn = 1; turn <= 5; turn += 1) {
      stage.advance(10_200);
      await until(() => expect(framesIn(client.received)).toHaveLength(turn));
      const { payload } = framesIn(client.received)[turn - 1] as stageKit.Frame;
      client.say(streamOf([{ opcode: PONG, payload }, ...numbered(1, PING)], "client"));
      await until(() => expect(numbersIn(backend)).toHaveLength(turn));
    }
    expect(await finish()).toMatchObject({ stats: { bytesUp: 5 * 8 + 8 } });
  });
}
