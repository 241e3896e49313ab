import { describe, expect, test } from "vitest";
import * as stageKit from "./relay-stage.contract.ts";

const { BINARY, CLOSE, PING, Stage, TEXT, closePayload, frame, frameHead, framesIn, until } = stageKit;

const HELLO = Buffer.from("hello");

/** Ends that the peers bring about. */
export function peerEndsContract(factory: stageKit.RelayFactory): void {
  describe("an end by Close", () => {
    test.for([
      { name: "of the client", first: "client", second: "backend", cause: "client_close" },
      { name: "of the backend", first: "backend", second: "client", cause: "backend_close" },
    ] as const)("$name passes with its code, and so does the answer", async ({ first, second, cause }) => {
      const stage = new Stage(factory);
      const joined = await stage.join();
      joined[first].say(frame(first, TEXT, HELLO), frame(first, CLOSE, closePayload(4_100)));
      await until(() => expect(joined[second].closeCodes).toEqual([4_100]));
      joined[second].say(frame(second, TEXT, HELLO), frame(second, CLOSE, closePayload(4_200)));
      await until(() => expect(joined[first].closeCodes).toEqual([4_200]));
      joined.backend.socket.end();
      await until(() => expect(joined.client.hasEnded).toBe(true));
      joined.client.socket.end();
      const end = await stage.end();
      const [codeToBackend, codeToClient] = first === "client" ? [4_100, 4_200] : [4_200, 4_100];
      expect(end).toMatchObject({ by: first, cause, codeToBackend, codeToClient, midFrame: false, opaque: false });
      expect(end.stats).toMatchObject({ messagesUp: 1, messagesDown: 1 });
    });

    test("of both at once is the first's, and nothing is added", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.say(frame("client", CLOSE, closePayload(1_000)));
      backend.say(frame("backend", CLOSE, closePayload(1_001)));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_001], [1_000]]));
      backend.socket.end();
      client.socket.end();
      const end = await stage.end();
      expect(["client_close", "backend_close"]).toContain(end.cause);
      expect([end.codeToClient, end.codeToBackend]).toEqual([1_001, 1_000]);
      expect([framesIn(client.received).length, framesIn(backend.received).length]).toEqual([1, 1]);
    });

    test("whose peers both forget TCP is brought to its end after 5 s, and the sockets are destroyed in the end", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.say(frame("client", CLOSE, closePayload(1_000)));
      backend.say(frame("backend", CLOSE, closePayload(1_000)));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_000], [1_000]]));
      stage.advance(4_900);
      expect([client.hasEnded, backend.hasEnded]).toEqual([false, false]);
      stage.advance(200);
      await until(() => expect([client.hasEnded, backend.hasEnded]).toEqual([true, true]));
      stage.advance(5_100);
      expect((await stage.end()).midFrame).toBe(false);
    });

    test("without a code is passed on and recorded as 1005", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.say(frame("backend", CLOSE, Buffer.alloc(0)));
      await until(() => expect(framesIn(client.received)).toMatchObject([{ opcode: CLOSE }]));
      client.say(frame("client", CLOSE, Buffer.alloc(0)));
      await until(() => expect(framesIn(backend.received)).toMatchObject([{ opcode: CLOSE }]));
      backend.socket.end();
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "backend_close", codeToClient: 1_005, codeToBackend: 1_005 });
    });

    test("whose answer never comes before FIN gets nothing of ours", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.say(frame("client", CLOSE, closePayload(1_000)));
      await until(() => expect(backend.closeCodes).toEqual([1_000]));
      backend.socket.end();
      await until(() => expect(client.hasEnded).toBe(true));
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_close", codeToClient: undefined, codeToBackend: 1_000 });
      expect(client.bytesReceived).toBe(0);
    });
  });

  describe("a backend that is lost", () => {
    test.for([
      { name: "by FIN", leave: "end" },
      { name: "by RST", leave: "resetAndDestroy" },
    ] as const)("$name: the client gets all it said, then Close 1012", async ({ leave }) => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.say(frame("backend", TEXT, HELLO));
      await until(() => expect(client.bytesReceived).toBeGreaterThan(0));
      backend.socket[leave]();
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      expect(framesIn(client.received)[1]).toMatchObject({ isMasked: false });
      expect(client.hasEnded).toBe(false);
      client.say(frame("client", TEXT, HELLO), frame("client", CLOSE, closePayload(1_012)));
      await until(() => expect(client.hasEnded).toBe(true));
      client.socket.end();
      backend.socket.destroy();
      const end = await stage.end();
      expect(end).toMatchObject({ by: "backend", cause: "backend_lost", codeToClient: 1_012, midFrame: false });
      expect(client.error).toBeUndefined();
    });

    test("by FIN while it still listens hears 1001", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.socket.end();
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      expect(framesIn(backend.received)[0]).toMatchObject({ isMasked: true });
      await until(() => expect(backend.hasEnded).toBe(true));
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "backend_lost", codeToClient: 1_012, codeToBackend: 1_001 });
    });

    test("with megabytes on their way to a slow client and the client sending: all of it comes, then Close 1012", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.socket.pause();
      const payload = Buffer.alloc(8 * 2 ** 20, 7);
      backend.socket.end(frame("backend", BINARY, payload));
      const ping = setInterval(() => client.say(frame("client", TEXT, HELLO)), 5);
      try {
        await until(() => expect(backend.bytesReceived).toBeGreaterThan(100));
        client.socket.resume();
        const wanted = payload.length + 10 + 4;
        await until(() => expect(client.bytesReceived).toBe(wanted));
      } finally {
        clearInterval(ping);
      }
      expect(client.closeCodes).toEqual([1_012]);
      client.socket.end(frame("client", CLOSE, closePayload(1_012)));
      expect(await stage.end()).toMatchObject({ cause: "backend_lost", midFrame: false });
    });

    test.for([
      { name: "FIN", leave: "end" },
      { name: "RST", leave: "resetAndDestroy" },
    ] as const)("inside a frame, by $name: the client gets what there was, then FIN", async ({ leave }) => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      const cutShort = frame("backend", BINARY, Buffer.alloc(1_000)).subarray(0, 700);
      backend.say(cutShort);
      await until(() => expect(client.bytesReceived).toBe(700));
      backend.socket[leave]();
      await until(() => expect(client.hasEnded).toBe(true));
      expect(client.received.equals(cutShort)).toBe(true);
      client.say(frame("client", TEXT, HELLO));
      client.socket.end();
      backend.socket.destroy();
      expect(await stage.end()).toMatchObject({ cause: "backend_lost", codeToClient: undefined, midFrame: true });
      expect(client.error).toBeUndefined();
    });

    test("between two fragments: Close goes there", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.say(stageKit.fragment("backend", TEXT, HELLO));
      await until(() => expect(client.bytesReceived).toBe(7));
      backend.socket.resetAndDestroy();
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "backend_lost", midFrame: false });
    });

    test("in an opaque tunnel: FIN and nothing else", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.say(Buffer.from("no frames here"));
      await until(() => expect(backend.bytesReceived).toBe(14));
      backend.socket.end(frame("backend", PING, HELLO));
      await until(() => expect(client.hasEnded).toBe(true));
      client.socket.end();
      const end = await stage.end();
      expect(end).toMatchObject({ cause: "backend_lost", opaque: true, midFrame: false, codeToClient: undefined });
      expect(framesIn(client.received)).toMatchObject([{ opcode: PING }]);
    });

    test("and a client that neither answers nor closes is let go after the linger", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.socket.resetAndDestroy();
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      stage.advance(4_900);
      expect(client.hasEnded).toBe(false);
      stage.advance(200);
      await until(() => expect(client.hasEnded).toBe(true));
      stage.advance(5_100);
      await stage.end();
      expect(backend.isClosed).toBe(true);
    });
  });

  describe("a client that is lost", () => {
    test("by RST: the backend gets a masked Close 1001", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.say(frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      client.socket.resetAndDestroy();
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      expect(framesIn(backend.received)[1]).toMatchObject({ opcode: CLOSE, isMasked: true });
      backend.say(frame("backend", TEXT, HELLO), frame("backend", CLOSE, closePayload(1_001)));
      await until(() => expect(backend.hasEnded).toBe(true));
      backend.socket.end();
      expect(await stage.end()).toMatchObject({
        by: "client",
        cause: "client_lost",
        codeToBackend: 1_001,
        midFrame: false,
      });
    });

    test("by RST inside a frame: the backend gets FIN", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.say(frameHead("client", BINARY, 500), HELLO);
      await until(() => expect(backend.bytesReceived).toBe(13));
      client.socket.resetAndDestroy();
      await until(() => expect(backend.hasEnded).toBe(true));
      expect(backend.bytesReceived).toBe(13);
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_lost", codeToBackend: undefined, midFrame: true });
    });

    test("by FIN: the backend is told 1001, then FIN, and the other half goes on until it is done", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.socket.end(frame("client", TEXT, HELLO));
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      expect(framesIn(backend.received).map(({ opcode, isMasked }) => [opcode, isMasked])).toEqual([
        [TEXT, true],
        [CLOSE, true],
      ]);
      // Its Close is waited for before the FIN, as after every Close of ours.
      stage.advance(4_900);
      expect(backend.hasEnded).toBe(false);
      stage.advance(200);
      await until(() => expect(backend.hasEnded).toBe(true));
      stage.advance(23_900);
      backend.socket.end(Buffer.concat([frame("backend", TEXT, HELLO), frame("backend", CLOSE, closePayload(1_000))]));
      await until(() => expect(client.hasEnded).toBe(true));
      expect(framesIn(client.received)).toHaveLength(2);
      const end = await stage.end();
      expect(end).toMatchObject({ cause: "client_lost", codeToClient: 1_000, codeToBackend: 1_001, midFrame: false });
    });

    test("by FIN inside a frame: FIN alone is passed on", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.socket.end(frameHead("client", BINARY, 500));
      await until(() => expect(backend.hasEnded).toBe(true));
      expect(backend.received).toEqual(frameHead("client", BINARY, 500));
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_lost", codeToBackend: undefined, midFrame: true });
    });

    test("by FIN behind a Close of the backend that it did not answer: FIN alone is passed on", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      backend.say(frame("backend", CLOSE, closePayload(4_000)));
      await until(() => expect(client.closeCodes).toEqual([4_000]));
      client.socket.end();
      await until(() => expect(backend.hasEnded).toBe(true));
      expect(backend.bytesReceived).toBe(0);
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "backend_close", codeToBackend: undefined });
    });

    test("by FIN: the other half is ended after 30 s", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      client.socket.end();
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      stage.advance(29_900);
      backend.say(frame("backend", TEXT, HELLO));
      await until(() => expect(client.bytesReceived).toBe(7));
      stage.advance(200);
      await until(() => expect(client.hasEnded).toBe(true));
      stage.advance(5_100);
      expect(await stage.end()).toMatchObject({ cause: "client_lost" });
    });

    test("while the backend writes without end: the write that fails is an end, not a crash", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join();
      const payload = Buffer.alloc(100_000);
      const flood = setInterval(() => backend.say(frame("backend", BINARY, payload)), 1);
      try {
        await until(() => expect(client.bytesReceived).toBeGreaterThan(300_000));
        client.socket.destroy();
        // FIN or RST, as the client's kernel had unread bytes or not.
        await until(() => expect(backend.hasEnded || backend.closeCodes.length > 0).toBe(true));
      } finally {
        clearInterval(flood);
      }
      backend.socket.end(frame("backend", CLOSE, closePayload(1_001)));
      expect(await stage.end()).toMatchObject({ cause: "client_lost" });
    });
  });

  test("sockets that were closed before they were joined end the tunnel at once", async () => {
    const stage = new Stage(factory);
    const [, clientNear] = await stageKit.socketPair();
    const [, backendNear] = await stageKit.socketPair();
    clientNear.destroy();
    backendNear.destroy();
    await until(() => expect([clientNear.closed, backendNear.closed]).toEqual([true, true]));
    const early = new Uint8Array(0);
    const sides = [clientNear, backendNear].map((socket) => ({ socket, early }));
    const [client, backend] = sides;
    if (client === undefined || backend === undefined) throw new Error("no sides");
    const policy = { current: stageKit.NO_LIMITS };
    stage.relay.join({ client, backend, policy, negotiated: stageKit.NOTHING_NEGOTIATED, context: "late" });
    expect((await stage.end()).cause).toBe("client_lost");
  });
}
