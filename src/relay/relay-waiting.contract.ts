import { describe, expect, test } from "vitest";
import { closePayload, frame, type FrameShape, type From, streamOf } from "./frames.fixture.ts";
import type { TunnelPolicy } from "./index.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, PING, Stage, TEXT, framesIn, until } = stageKit;

/** Ten at once, and ten a second. */
const SLOWLY = { messagesPerSecond: 10, onLimit: "Pause" } as const;
const SENT = 60;

function numbered(count: number): Partial<FrameShape>[] {
  return Array.from({ length: count }, (_, index) => ({ payload: Uint8Array.of(index) }));
}

const MANY = streamOf(numbered(SENT), "client");
const close = (from: From, code: number): Buffer => frame({ opcode: CLOSE, payload: closePayload(code) }, from);

const numbersIn = (peer: stageKit.Peer): number[] =>
  framesIn(peer.received)
    .filter(({ opcode }) => opcode === 2)
    .map(({ payload }) => payload.readUInt8(0));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Lets time pass until something has come, but no more than a minute. */
async function passUntil(stage: stageKit.Stage, hasCome: () => boolean): Promise<void> {
  for (let second = 0; second < 60 && !hasCome(); second += 1) {
    stage.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(hasCome()).toBe(true);
}

/** Ends and changes that meet frames which wait for their time. */
export function waitingContract(factory: stageKit.RelayFactory): void {
  /** A tunnel in which ten messages have passed and fifty wait. */
  const joinWaiting = async (policy: Partial<TunnelPolicy> = {}) => {
    const stage = new Stage(factory);
    const joined = await stage.join({ policy: { ...SLOWLY, ...policy } });
    joined.client.say(MANY);
    await until(() => expect(numbersIn(joined.backend)).toEqual(upTo(10)));
    const change = (next: Partial<TunnelPolicy>) => {
      joined.policy.current = { ...stageKit.NO_LIMITS, ...next };
      stage.relay.policiesChanged();
    };
    return { stage, ...joined, change };
  };

  test("a client that has sent more than its rate is not idle while it rests for that, and is afterwards", async () => {
    const stage = new Stage(factory);
    const policy = { bytesPerSecond: 100, onLimit: "Pause", idleMs: 5_000 } as const;
    const { client, backend } = await stage.join({ policy });
    const big = frame({ payload: [2_000, 7] }, "client");
    client.say(big);
    await until(() => expect(backend.bytesReceived).toBe(big.length));
    stage.advance(18_000);
    expect([client.closeCodes, backend.closeCodes]).toEqual([[], []]);
    stage.advance(2_500);
    stage.advance(10_300);
    await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_001], [1_001]]));
    client.socket.end(close("client", 1_001));
    backend.socket.end(close("backend", 1_001));
    expect((await stage.end()).cause).toBe("idle");
  });

  describe("while messages wait for their time", () => {
    test("FIN of the client waits behind them", async () => {
      const { stage, client, backend } = await joinWaiting();
      client.socket.end();
      await passUntil(stage, () => backend.hasEnded);
      expect(numbersIn(backend)).toEqual(upTo(SENT));
      backend.socket.end(close("backend", 1_000));
      expect(await stage.end()).toMatchObject({ cause: "client_lost", midFrame: false, stats: { messagesUp: SENT } });
    });

    test("RST of the client cuts off no more than what waited, between two frames", async () => {
      const { stage, client, backend } = await joinWaiting();
      client.socket.resetAndDestroy();
      await passUntil(stage, () => backend.closeCodes.length > 0);
      expect(backend.closeCodes).toEqual([1_001]);
      const numbers = numbersIn(backend);
      expect(numbers).toEqual(upTo(numbers.length));
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_lost", midFrame: false });
    });

    test.for(["end", "resetAndDestroy"] as const)("a backend that is lost by %s is lost at once", async (leave) => {
      const { stage, client, backend } = await joinWaiting();
      backend.socket[leave]();
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      client.socket.end(close("client", 1_012));
      expect(await stage.end()).toMatchObject({ cause: "backend_lost", midFrame: false });
      expect(numbersIn(backend)).toEqual(upTo(10));
    });

    test.for(["proxy_shutdown", "lifetime", "cut"] as const)("%s does not wait, and nothing follows", async (cause) => {
      const { stage, client, backend, tunnel } = await joinWaiting({ lifetimeMs: 1_000 });
      if (cause === "cut") tunnel.cut();
      else if (cause === "lifetime") stage.advance(1_100);
      else tunnel.close(cause);
      if (cause !== "cut") {
        await until(() => expect([client.closeCodes.length, backend.closeCodes.length]).toEqual([1, 1]));
        // All that was sent is read, so that no RST takes the code away.
        client.socket.end(Buffer.concat([MANY, close("client", 1_000)]));
        backend.socket.end(close("backend", 1_000));
      }
      expect(await stage.end()).toMatchObject({ cause, midFrame: false });
      // In a second ten more.
      expect(numbersIn(backend)).toEqual(upTo(numbersIn(backend).length));
      expect(numbersIn(backend).length).toBeLessThanOrEqual(21);
      if (cause !== "cut") expect(client.error).toBeUndefined();
    });

    test("a Close of the backend passes, and what waits still goes to it in its time", async () => {
      const { stage, client, backend } = await joinWaiting();
      backend.say(close("backend", 4_000));
      await until(() => expect(client.closeCodes).toEqual([4_000]));
      client.say(close("client", 4_000));
      await passUntil(stage, () => backend.closeCodes.length > 0);
      expect([numbersIn(backend), backend.closeCodes]).toEqual([upTo(SENT), [4_000]]);
      backend.socket.end();
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "backend_close", midFrame: false });
    });

    test("a Close of the backend and the end of the proxy: what waits too long is dropped, and nothing is left", async () => {
      const { stage, client, backend, tunnel } = await joinWaiting({ messagesPerSecond: 10, bytesPerSecond: 20 });
      backend.say(close("backend", 4_000));
      await until(() => expect(client.closeCodes).toEqual([4_000]));
      tunnel.close("proxy_shutdown");
      stage.advance(5_050);
      await until(() => expect([client.hasEnded, backend.hasEnded]).toEqual([true, true]));
      const { length } = backend.received;
      stage.advance(4_000);
      client.socket.end(MANY);
      backend.socket.end(MANY);
      const end = await stage.end();
      expect(end).toMatchObject({ cause: "backend_close", midFrame: false });
      expect([client.error, backend.error, backend.received.length]).toEqual([undefined, undefined, length]);
      expect(end.stats.messagesUp).toBeLessThanOrEqual(2 * SENT);
    });

    test("one that is not whole is read on to its end when the proxy ends", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join({ policy: { bytesPerSecond: 100, onLimit: "Pause" } });
      const big = frame({ payload: [5_000, 7] }, "client");
      client.say(big.subarray(0, 3_000));
      await until(() => expect(backend.bytesReceived).toBe(3_000));
      client.say(big.subarray(3_000), MANY);
      tunnel.close("proxy_shutdown");
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      expect(framesIn(backend.received).map(({ payload }) => payload.length)).toEqual([5_000, 2]);
      client.socket.end(close("client", 1_012));
      backend.socket.end(close("backend", 1_001));
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", midFrame: false });
    });

    test("what the backend says passes as ever, and its fault ends the tunnel at once", async () => {
      const { stage, client, backend } = await joinWaiting({ strictness: "Enforce" });
      const hello = frame({ opcode: TEXT, payload: Buffer.from("hello") }, "backend");
      backend.say(hello, frame({ opcode: PING }, "backend"), frame({ reserved: 1 }, "backend"));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_002], [1_002]]));
      expect(numbersIn(backend)).toEqual(upTo(10));
      client.socket.end(close("client", 1_002));
      backend.socket.end(close("backend", 1_002));
      expect(await stage.end()).toMatchObject({ cause: "protocol_error", midFrame: false });
    });

    test("a fault among them is found in its turn", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join({ policy: { ...SLOWLY, strictness: "Enforce" } });
      client.say(MANY, frame({ reserved: 1 }, "client"), MANY);
      await passUntil(stage, () => backend.closeCodes.length > 0);
      expect([numbersIn(backend), backend.closeCodes]).toEqual([upTo(SENT), [1_002]]);
      client.socket.end(close("client", 1_002));
      backend.socket.end(close("backend", 1_002));
      expect((await stage.end()).cause).toBe("protocol_error");
    });
  });

  describe("a policy changed while messages wait for their time", () => {
    test.for([
      { name: "without a rate lets them go at once", next: {}, passed: SENT },
      { name: "with a higher rate lets more go", next: { ...SLOWLY, messagesPerSecond: 30 }, passed: 40 },
    ])("$name", async ({ next, passed }) => {
      const { stage, client, backend, tunnel, change } = await joinWaiting();
      change(next);
      await until(() => expect(numbersIn(backend)).toEqual(upTo(passed)));
      stage.advance(2_000);
      client.say(frame({ payload: Uint8Array.of(SENT) }, "client"));
      await until(() => expect(numbersIn(backend)).toEqual(upTo(SENT + 1)));
      tunnel.cut();
      expect((await stage.end()).stats.messagesUp).toBe(SENT + 1);
    });

    test("to Close ends the tunnel with 1008", async () => {
      const { stage, client, backend, change } = await joinWaiting();
      change({ messagesPerSecond: 5, onLimit: "Close" });
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_008], [1_008]]));
      const numbers = numbersIn(backend);
      expect(numbers).toEqual(upTo(numbers.length));
      expect(numbers.length).toBeLessThanOrEqual(15);
      client.socket.end(close("client", 1_008));
      backend.socket.end(close("backend", 1_008));
      expect((await stage.end()).cause).toBe("rate_limit");
    });

    test("in anything but its rates gives nothing away", async () => {
      const { stage, backend, tunnel, change } = await joinWaiting();
      for (let index = 1; index <= 10; index += 1) change({ ...SLOWLY, idleMs: 100_000 + index });
      stage.advance(1_000);
      await until(() => expect(numbersIn(backend).length).toBeGreaterThanOrEqual(19));
      expect(numbersIn(backend).length).toBeLessThanOrEqual(20);
      tunnel.cut();
      await stage.end();
    });
  });

  test("after 200 tunnels ended for what their clients sent or while it waited, no timer, listener or tunnel is left", async () => {
    const stage = new Stage(factory);
    const limits = { strictness: "Enforce", maxMessageBytes: 100, maxFragments: 2, ...SLOWLY } as const;
    const ping = { opcode: PING } as const;
    const pushed: ((joined: stageKit.Joined) => void)[] = [
      ({ client }) => client.say(frame({ reserved: 1 }, "client")),
      ({ client }) => client.say(frame({ opcode: 3 }, "client")),
      ({ backend }) => backend.say(frame({ opcode: 0 }, "backend")),
      ({ client }) => client.say(frame({ payload: [101, 1] }, "client")),
      ({ backend }) =>
        backend.say(streamOf([{ isFinal: false }, { opcode: 0, isFinal: false }, { opcode: 0 }], "backend")),
      ({ client }) =>
        client.say(
          streamOf(
            Array.from({ length: 6 }, () => ping),
            "client",
          ),
        ),
      ({ client, tunnel }) => {
        client.say(MANY);
        tunnel.close("proxy_shutdown");
      },
      ({ client, backend }) => {
        client.say(MANY);
        backend.socket.resetAndDestroy();
      },
      ({ client, tunnel }) => {
        client.say(MANY);
        setImmediate(() => tunnel.cut());
      },
      ({ client }) => client.socket.end(MANY),
      ({ client }) => {
        client.say(MANY);
        setImmediate(() => client.socket.resetAndDestroy());
      },
    ];
    const all: stageKit.Joined[] = [];
    for (let index = 0; index < 200; index += 1) {
      // For the Pings: Close where others wait.
      const onLimit = index % pushed.length === 5 ? ("Close" as const) : ("Pause" as const);
      const policy = { ...limits, controlFramesPerSecond: 5, onLimit, pingMs: 30_000, idleMs: 60_000 };
      const joined = await stage.join({ policy, context: String(index) });
      all.push(joined);
      pushed[index % pushed.length]?.(joined);
    }
    const isOver = (): boolean => {
      for (const { client, backend } of all) {
        for (const peer of [client, backend]) if (peer.hasEnded) peer.socket.end();
      }
      return stage.ends.length >= 200;
    };
    await passUntil(stage, isOver);
    expect([stage.ends.length, new Set(stage.endedContexts).size]).toEqual([200, 200]);
    expect([stage.relay.tunnels.size, stage.pendingTimers()]).toEqual([0, 0]);
    const left = all.flatMap(({ near, listenersBefore }) =>
      near.flatMap(stageKit.listenersOf).filter((listener) => !listenersBefore.includes(listener)),
    );
    expect(new Set(left).size).toBeLessThanOrEqual(stageKit.EVENTS.length);
  });
}
