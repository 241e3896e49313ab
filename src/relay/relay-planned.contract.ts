import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { closeOf, joinWebSockets } from "./relay-joiner.contract.ts";
import * as stageKit from "./relay-stage.contract.ts";

const { BINARY, CLOSE, CONTINUATION, PING, Stage, TEXT, closePayload, fragment, frame, frameHead, framesIn, until } =
  stageKit;

const HELLO = Buffer.from("hello");

/** Answers Close and FIN as an orderly peer does. */
function finishOrderly(peer: stageKit.Peer, from: "client" | "backend"): void {
  peer.socket.end(frame(from, CLOSE, closePayload(1_000)));
}

/** Ends that the relay brings about. */
export function plannedEndsContract(factory: stageKit.RelayFactory): void {
  describe("a planned end", () => {
    test.for([
      { cause: "proxy_shutdown", toClient: 1_012, toBackend: 1_001 },
      { cause: "idle", toClient: 1_001, toBackend: 1_001 },
      { cause: "lifetime", toClient: 1_001, toBackend: 1_001 },
      { cause: "drained", toClient: 1_012, toBackend: 1_001 },
      { cause: "admin", toClient: 1_012, toBackend: 1_001 },
    ] as const)("for $cause tells the client $toClient and the backend $toBackend", async (row) => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      expect(tunnel.isEnding).toBe(false);
      tunnel.close(row.cause);
      expect(tunnel.isEnding).toBe(true);
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[row.toClient], [row.toBackend]]));
      // What is said after our Close is read, discarded, and answered by no RST.
      client.say(frame("client", TEXT, HELLO));
      backend.say(frame("backend", TEXT, HELLO));
      finishOrderly(client, "client");
      finishOrderly(backend, "backend");
      const end = await stage.end();
      expect(end).toMatchObject({
        by: "holdfast",
        cause: row.cause,
        codeToClient: row.toClient,
        codeToBackend: row.toBackend,
      });
      expect([framesIn(client.received).length, framesIn(backend.received).length]).toEqual([1, 2]);
      expect([client.error, backend.error]).toEqual([undefined, undefined]);
    });

    test.for([
      { name: "at once", isMidMessage: false },
      { name: "behind the message under way", isMidMessage: true },
    ])("tells the client the code and reason it is given, $name, and the backend its own", async ({ isMidMessage }) => {
      const stage = new Stage(factory);
      const { client, server, tunnel } = await joinWebSockets(stage, { deflate: false });
      const heard: unknown[] = [];
      server.on("close", (code: number, reason: Buffer) => heard.push("backend", code, reason.toString()));
      client.on("message", (bytes: Buffer) => heard.push(bytes.toString()));
      if (isMidMessage) server.send("half", { fin: false });
      await until(() => expect(tunnel.stats.bytesDown).toBe(isMidMessage ? 6 : 0));
      tunnel.close("drained", { code: 4_401, reason: "moved to hall 2, \u00e9tage" });
      if (isMidMessage) server.send(" whole");
      const [code, reason] = (await once(client, "close")) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([4_401, "moved to hall 2, \u00e9tage"]);
      await until(() => expect(heard).toContain("backend"));
      expect(heard).toEqual([...(isMidMessage ? ["half whole"] : []), "backend", 1_001, ""]);
      expect(await stage.end()).toMatchObject({ cause: "drained", codeToClient: 4_401, codeToBackend: 1_001 });
    });

    test.for([{ deflate: false }, { deflate: true }])(
      "is clean in ws under traffic, deflate $deflate",
      async ({ deflate }) => {
        const stage = new Stage(factory);
        const { client, server, tunnel } = await joinWebSockets(stage, { deflate });
        const sent = randomBytes(20_000);
        let received = 0;
        server.on("message", (bytes: Buffer) => {
          received += bytes.equals(sent) ? 1 : 1_000;
          server.send(bytes);
        });
        client.on("message", () => client.send(sent));
        for (let index = 0; index < 20; index += 1) client.send(sent);
        await until(() => expect(received).toBeGreaterThan(200));
        const closed = Promise.all([closeOf(client), closeOf(server)]);
        tunnel.close("proxy_shutdown");
        expect(await closed).toEqual([1_012, 1_001]);
        expect(received).toBeLessThan(100_000);
        expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", midFrame: false });
      },
    );

    test("inside a long message waits for its end, splits the chunk there and lets nothing follow", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const first = fragment("backend", TEXT, Buffer.alloc(2_000, "a"));
      const last = frame("backend", CONTINUATION, Buffer.alloc(3_000, "b"));
      backend.say(first, last.subarray(0, 500));
      await until(() => expect(client.bytesReceived).toBe(first.length + 500));
      tunnel.close("proxy_shutdown");
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      expect(client.bytesReceived).toBe(first.length + 500);
      backend.say(last.subarray(500), frame("backend", TEXT, HELLO), frame("backend", CLOSE, closePayload(1_001)));
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      expect(framesIn(client.received).map((one) => one.payload.length)).toEqual([2_000, 3_000, 2]);
      // The backend's answer was in the discarded part and was seen there.
      await until(() => expect(backend.hasEnded).toBe(true));
      backend.socket.end();
      finishOrderly(client, "client");
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", midFrame: false, codeToClient: 1_012 });
    });

    test.for([{ pieces: "in one piece" }, { pieces: "byte by byte" }] as const)(
      "between fragments gives the client its own code, not the backend's answer, $pieces",
      async ({ pieces }) => {
        const stage = new Stage(factory);
        const { client, backend, tunnel } = await stage.join();
        const part = fragment("backend", TEXT, HELLO);
        backend.say(part);
        await until(() => expect(client.bytesReceived).toBe(part.length));
        tunnel.close("proxy_shutdown");
        await until(() => expect(backend.closeCodes).toEqual([1_001]));
        const answer = Buffer.concat([frame("backend", PING, HELLO), frame("backend", CLOSE, closePayload(1_001))]);
        if (pieces === "in one piece") backend.say(answer);
        else for (const byte of answer) backend.say(Buffer.of(byte));
        await until(() => expect(client.closeCodes).toEqual([1_012]));
        expect(framesIn(client.received).map((one) => one.opcode)).toEqual([TEXT, PING, CLOSE]);
        backend.socket.end();
        finishOrderly(client, "client");
        expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", codeToClient: 1_012, codeToBackend: 1_001 });
      },
    );

    test("takes a frame boundary when the message does not end within 2 s", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const part = fragment("client", BINARY, Buffer.alloc(50));
      client.say(part);
      await until(() => expect(backend.bytesReceived).toBe(part.length));
      tunnel.close("idle");
      stage.advance(1_900);
      await until(() => expect(client.closeCodes).toEqual([1_001]));
      expect(backend.closeCodes).toEqual([]);
      stage.advance(150);
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      finishOrderly(client, "client");
      finishOrderly(backend, "backend");
      expect(await stage.end()).toMatchObject({ midFrame: false, codeToBackend: 1_001 });
    });

    test("takes the next frame boundary after 2 s inside a frame, splitting the chunk", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const part = fragment("client", BINARY, Buffer.alloc(50));
      client.say(part.subarray(0, 20));
      await until(() => expect(backend.bytesReceived).toBe(20));
      tunnel.close("idle");
      stage.advance(2_050);
      client.say(part.subarray(20), fragment("client", CONTINUATION, HELLO));
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      expect(framesIn(backend.received).map((one) => one.payload.length)).toEqual([50, 2]);
      finishOrderly(client, "client");
      finishOrderly(backend, "backend");
      expect(await stage.end()).toMatchObject({ midFrame: false });
    });

    test("inside a frame that never ends is FIN after what was received, marked midFrame", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      backend.say(frameHead("backend", BINARY, 2 ** 40), Buffer.alloc(1_000));
      await until(() => expect(client.bytesReceived).toBe(1_010));
      tunnel.close("proxy_shutdown");
      stage.advance(2_050);
      backend.say(Buffer.alloc(1_000));
      await until(() => expect(client.bytesReceived).toBe(2_010));
      stage.advance(4_900);
      expect(client.hasEnded).toBe(false);
      stage.advance(150);
      await until(() => expect(client.hasEnded).toBe(true));
      expect(client.bytesReceived).toBe(2_010);
      backend.say(Buffer.alloc(100_000));
      client.socket.end();
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ midFrame: true, codeToClient: undefined, codeToBackend: 1_001 });
    });

    test("reaches a client that was stopped by backpressure as a code, not as 1006", async () => {
      const stage = new Stage(factory);
      const { client, server, tunnel } = await joinWebSockets(stage, { deflate: false });
      server.pause();
      const payload = randomBytes(2 ** 20);
      for (let index = 0; index < 40; index += 1) client.send(payload);
      let last = -1;
      let calm = 0;
      await until(() => {
        calm = tunnel.stats.bytesUp === last ? calm + 1 : 0;
        last = tunnel.stats.bytesUp;
        expect(calm).toBeGreaterThan(40);
      });
      const closed = closeOf(client);
      tunnel.close("proxy_shutdown");
      // The backend takes nothing: no boundary comes, the upward stream is cut, and reading goes on nevertheless.
      stage.advance(2_050);
      stage.advance(5_050);
      expect(await closed).toBe(1_012);
      stage.advance(30_050);
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", codeToClient: 1_012, midFrame: true });
    });

    test("of an opaque tunnel is FIN both ways", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(Buffer.from("no frames here"));
      await until(() => expect(backend.bytesReceived).toBe(14));
      tunnel.close("proxy_shutdown");
      await until(() => expect([client.hasEnded, backend.hasEnded]).toEqual([true, true]));
      client.socket.end();
      backend.socket.end();
      const end = await stage.end();
      expect(end).toMatchObject({ opaque: true, midFrame: false, codeToClient: undefined, codeToBackend: undefined });
      expect([client.bytesReceived, backend.bytesReceived]).toEqual([0, 14]);
    });

    test("after a peer's Close injects nothing, keeps the first cause, and ends what does not end", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(frame("client", CLOSE, closePayload(1_000)));
      await until(() => expect(backend.closeCodes).toEqual([1_000]));
      tunnel.close("proxy_shutdown");
      stage.advance(3_000);
      tunnel.close("lifetime");
      stage.advance(2_050);
      await until(() => expect([client.hasEnded, backend.hasEnded]).toEqual([true, true]));
      client.socket.end();
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "client_close", codeToClient: undefined, codeToBackend: 1_000 });
      expect(client.bytesReceived).toBe(0);
    });

    test("meets a peer's Close on its way: each side hears one Close", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(fragment("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      tunnel.close("proxy_shutdown");
      tunnel.close("idle");
      client.say(frame("client", CLOSE, closePayload(4_321)));
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_012], [4_321]]));
      finishOrderly(backend, "backend");
      client.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", codeToClient: 1_012, codeToBackend: 4_321 });
    });

    test("of a tunnel whose sender dies inside a frame is FIN to the other", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(frameHead("client", BINARY, 100), HELLO);
      await until(() => expect(backend.bytesReceived).toBe(11));
      tunnel.close("proxy_shutdown");
      client.socket.resetAndDestroy();
      await until(() => expect(backend.hasEnded).toBe(true));
      backend.socket.end();
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", midFrame: true, codeToBackend: undefined });
    });

    test("reads on although backpressure had stopped it, to see the answer to its Close", async () => {
      const stage = new Stage(factory);
      // Early bytes leave the stream at a message boundary and its sink full, for certain.
      const early = frame("client", BINARY, Buffer.alloc(24 * 2 ** 20));
      const { client, backend, tunnel } = await stage.join({ clientEarly: early, pauseBackend: true });
      client.say(frame("client", TEXT, HELLO));
      tunnel.close("proxy_shutdown");
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      client.say(frame("client", CLOSE, closePayload(1_012)));
      await until(() => expect(client.hasEnded).toBe(true));
      client.socket.end();
      backend.socket.resume();
      await until(() => expect(backend.bytesReceived).toBe(early.length + 8));
      finishOrderly(backend, "backend");
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", codeToBackend: 1_001, midFrame: false });
      expect(client.error).toBeUndefined();
    });

    test("lingers no more where the peer's Close came before ours", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      const part = fragment("client", TEXT, HELLO);
      client.say(part);
      await until(() => expect(backend.bytesReceived).toBe(part.length));
      tunnel.close("proxy_shutdown");
      backend.say(frame("backend", CLOSE, closePayload(4_000)));
      await until(() => expect(tunnel.stats.bytesDown).toBe(4));
      client.say(frame("client", CONTINUATION, HELLO));
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      await until(() => expect(backend.hasEnded).toBe(true));
      expect(client.closeCodes).toEqual([1_012]);
      backend.socket.end();
      finishOrderly(client, "client");
      await stage.end();
    });

    test.for([
      { name: "a slow peer gets all that was written for it", takes: true },
      { name: "a peer that takes nothing and closes nothing is destroyed in bounded time", takes: false },
    ])("$name", async ({ takes }) => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.socket.pause();
      const payload = Buffer.alloc(2 ** 20);
      for (let index = 0; index < 32; index += 1) backend.say(frame("backend", BINARY, payload));
      let last = -1;
      let calm = 0;
      await until(() => {
        calm = tunnel.stats.bytesDown === last ? calm + 1 : 0;
        last = tunnel.stats.bytesDown;
        expect(calm).toBeGreaterThan(40);
      });
      tunnel.close("proxy_shutdown");
      for (let elapsed = 0; elapsed < 30_000; elapsed += 1_000) stage.advance(1_000);
      expect(stage.relay.tunnels.size).toBe(1);
      if (takes) {
        client.socket.resume();
        await until(() => expect(client.hasEnded).toBe(true));
        expect(client.bytesReceived).toBeGreaterThanOrEqual(last);
        client.socket.end();
        backend.socket.destroy();
      } else for (let elapsed = 0; elapsed < 20_000; elapsed += 1_000) stage.advance(1_000);
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", forced: !takes });
      expect(client.error).toBeUndefined();
    });
  });

  describe("a planned end that is hurried", () => {
    test("cuts the frame that its receiver does not take, and reads the sender's answer to our Close", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel, near } = await stage.join({ pauseBackend: true });
      const big = frame("client", BINARY, Buffer.alloc(2 ** 20));
      for (let index = 0; index < 32; index += 1) client.socket.write(big);
      await until(() => expect(near[1]?.writableLength).toBeGreaterThan(0));
      tunnel.close("proxy_shutdown");
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      client.socket.end(frame("client", CLOSE, closePayload(1_012)));
      stage.advance(1_000);
      expect(client.hasEnded).toBe(false);
      tunnel.hurry();
      await until(() => expect([client.hasEnded, client.isClosed, client.error]).toEqual([true, true, undefined]));
      backend.socket.resume();
      await until(() => expect(backend.hasEnded).toBe(true));
      backend.socket.end();
      expect(await stage.end()).toMatchObject({
        cause: "proxy_shutdown",
        codeToClient: 1_012,
        codeToBackend: undefined,
        midFrame: true,
      });
    });

    test("takes a frame boundary inside a message", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(fragment("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      tunnel.close("proxy_shutdown");
      await until(() => expect(client.closeCodes).toEqual([1_012]));
      expect(backend.bytesReceived).toBe(11);
      tunnel.hurry();
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      finishOrderly(client, "client");
      finishOrderly(backend, "backend");
      expect(await stage.end()).toMatchObject({ cause: "proxy_shutdown", midFrame: false });
    });

    test("that nobody has planned is none", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      client.say(fragment("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      tunnel.hurry();
      client.say(frame("client", CONTINUATION, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(22));
      tunnel.cut();
    });
  });

  test("a cut inside a frame is told as one, and a Close that was still waiting to leave as none", async () => {
    const stage = new Stage(factory);
    const { client, backend, tunnel, near } = await stage.join();
    client.socket.pause();
    backend.say(frameHead("backend", BINARY, 64 * 2 ** 20), Buffer.alloc(2 ** 20));
    client.say(frame("client", TEXT, HELLO));
    await until(() => expect(tunnel.stats.bytesDown).toBeGreaterThan(100_000));
    tunnel.cut();
    expect(await stage.end()).toMatchObject({ cause: "cut", midFrame: true });

    const slow = await stage.join();
    slow.client.socket.pause();
    for (let index = 0; index < 32; index += 1) slow.backend.say(frame("backend", BINARY, Buffer.alloc(2 ** 20)));
    await until(() => expect(slow.near[0]?.writableLength).toBeGreaterThan(0));
    slow.backend.socket.end();
    await until(() => expect(slow.near[1]?.readableFlowing).toBe(false));
    slow.tunnel.close("proxy_shutdown");
    slow.tunnel.hurry();
    slow.tunnel.cut();
    await until(() => expect(stage.ends).toHaveLength(2));
    expect(stage.ends[1]).toMatchObject({ cause: "proxy_shutdown", codeToClient: undefined });
    expect(near).toHaveLength(2);
  });

  test("cut destroys both sockets at once", async () => {
    const stage = new Stage(factory);
    const { client, backend, tunnel, near } = await stage.join();
    tunnel.cut();
    expect(near.map((socket) => socket.destroyed)).toEqual([true, true]);
    const end = await stage.end();
    expect(end).toMatchObject({ by: "holdfast", cause: "cut", codeToClient: undefined, codeToBackend: undefined });
    await until(() =>
      expect([client.hasEnded || client.isClosed, backend.hasEnded || backend.isClosed]).toEqual([true, true]),
    );
  });
}
