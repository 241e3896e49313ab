import { describe, expect, test } from "vitest";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, PING, PONG, Stage, TEXT, closePayload, fragment, frame, frameHead, framesIn, until } = stageKit;

const HELLO = Buffer.from("hello");
const PINGED = { pingMs: 30_000, pongTimeoutMs: 20_000 };
/** Timers may be a tick late, and the coarse clock a tick behind. */
const LATENESS_MS = 150;

/** Payloads of the Pings that a peer got. */
function pingsTo(peer: stageKit.Peer): Buffer[] {
  return framesIn(peer.received)
    .filter(({ opcode }) => opcode === PING)
    .map(({ payload }) => payload);
}

async function pinged(peer: stageKit.Peer, count = 1): Promise<Buffer> {
  await until(() => expect(pingsTo(peer)).toHaveLength(count));
  return pingsTo(peer).at(-1) as Buffer;
}

class Answers {
  asked = 0;
  count = 0;

  pingSent(): void {
    this.asked += 1;
  }

  pingAnswered(): void {
    this.count += 1;
  }
}

/** Whether peers are there is asked by Pings, and who does not answer is given up. */
export function keepaliveContract(factory: stageKit.RelayFactory): void {
  describe("a silent client", () => {
    test("gets a Ping after the silence, and goes by its own when it answers; the backend sees neither", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy: PINGED });
      stage.advance(29_900);
      expect(client.bytesReceived).toBe(0);
      stage.advance(LATENESS_MS);
      const payload = await pinged(client);
      expect([payload.length, framesIn(client.received)[0]?.isMasked]).toEqual([8, false]);
      client.say(frame("client", PONG, payload), frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      expect(framesIn(backend.received).map(({ opcode }) => opcode)).toEqual([TEXT]);
      stage.advance(29_900);
      expect(pingsTo(client)).toHaveLength(1);
      stage.advance(LATENESS_MS);
      expect((await pinged(client, 2)).equals(payload)).toBe(false);
      tunnel.cut();
      const end = await stage.end();
      expect(end.stats).toMatchObject({ bytesUp: 11, messagesUp: 1 });
      expect(end.roundTripMs).toBe(0);
    });

    test("is asked up to a tenth earlier, by lot", async () => {
      const stage = new Stage(factory, () => 0.5);
      const { client } = await stage.join({ policy: PINGED });
      stage.advance(28_400);
      expect(client.bytesReceived).toBe(0);
      stage.advance(LATENESS_MS);
      await pinged(client);
    });

    test("that does not answer is dead after the timeout: the backend is told 1001, the client nothing", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, near } = await stage.join({ policy: PINGED });
      stage.advance(30_000 + LATENESS_MS);
      await pinged(client);
      stage.advance(19_800);
      expect(near[0]?.destroyed).toBe(false);
      stage.advance(200 + LATENESS_MS);
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      await until(() => expect(client.isClosed || client.hasEnded).toBe(true));
      expect(client.closeCodes).toEqual([]);
      backend.socket.end(frame("backend", CLOSE, closePayload(1_001)));
      expect(await stage.end()).toMatchObject({ cause: "client_dead", by: "client", codeToBackend: 1_001 });
    });

    test("whose Pong comes in pieces is alive, and no piece reaches the backend", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel, near } = await stage.join({ policy: PINGED });
      stage.advance(30_000 + LATENESS_MS);
      const pong = frame("client", PONG, await pinged(client));
      for (const [index, byte] of pong.entries()) {
        client.say(Buffer.of(byte));
        await until(() => expect(near[0]?.bytesRead).toBe(index + 1));
      }
      client.say(frame("client", TEXT, HELLO));
      await until(() => expect(backend.received).toEqual(frame("client", TEXT, HELLO)));
      stage.advance(20_000 + LATENESS_MS);
      expect(near[0]?.destroyed).toBe(false);
      tunnel.cut();
      expect((await stage.end()).stats.bytesUp).toBe(11);
    });

    test("that says anything else instead is alive, and its late Pong is still kept back", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy: PINGED });
      stage.advance(30_000 + LATENESS_MS);
      const payload = await pinged(client);
      client.say(frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      stage.advance(20_000 + LATENESS_MS);
      client.say(frame("client", PONG, payload), frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(22));
      expect([stage.relay.tunnels.has(tunnel), backend.closeCodes]).toEqual([true, []]);
      tunnel.cut();
    });

    test("that answers one Ping again and again is heard by the backend, as with any Pong that nobody asked for", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy: { ...PINGED, maxMessageBytes: 1_000 } });
      stage.advance(30_000 + LATENESS_MS);
      const pong = frame("client", PONG, await pinged(client));
      client.say(pong, pong, pong);
      await until(() => expect(backend.received).toEqual(Buffer.concat([pong, pong])));
      tunnel.cut();
      expect((await stage.end()).stats.bytesUp).toBe(2 * pong.length);
    });

    test("with idle set ends by it: neither our Ping nor its Pong counts as activity", async () => {
      const answers = new Answers();
      const stage = new Stage(factory, () => 0, answers);
      const { client, backend } = await stage.join({ policy: { ...PINGED, idleMs: 45_000 } });
      stage.advance(30_000 + LATENESS_MS);
      client.say(frame("client", PONG, await pinged(client)));
      await until(() => expect(answers.count).toBe(1));
      stage.advance(14_900 + LATENESS_MS);
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_001], [1_001]]));
      client.socket.end();
      backend.socket.end();
      expect((await stage.end()).cause).toBe("idle");
    });

    test("gets its Ping between two frames of a long message, not inside one", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy: PINGED });
      const payload = Buffer.alloc(1_000, 7);
      const first = fragment("backend", TEXT, payload);
      backend.say(first.subarray(0, 500));
      await until(() => expect(client.bytesReceived).toBe(500));
      stage.advance(31_000);
      const last = frame("backend", 0, payload);
      backend.say(first.subarray(500), last);
      await until(() => expect(client.bytesReceived).toBe(first.length + last.length + 10));
      expect(framesIn(client.received).map(({ opcode }) => opcode)).toEqual([TEXT, PING, 0]);
      tunnel.cut();
    });

    test("lives as long as a frame to it has no end, since it cannot be asked inside one", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy: PINGED });
      backend.say(frameHead("backend", TEXT, 1_000), HELLO);
      await until(() => expect(client.bytesReceived).toBe(9));
      for (let minute = 0; minute < 15; minute += 1) stage.advance(60_000);
      expect(stage.relay.tunnels.has(tunnel)).toBe(true);
      backend.say(Buffer.alloc(995));
      await until(() => expect(client.bytesReceived).toBe(1_004 + 10));
      tunnel.cut();
    });

    test("is not asked while a Ping of the backend waits for its answer, which does as well", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy: PINGED });
      const question = Buffer.from("are you there");
      stage.advance(25_000);
      backend.say(frame("backend", PING, question));
      await until(() => expect(client.bytesReceived).toBe(question.length + 2));
      stage.advance(10_000);
      expect(pingsTo(client)).toEqual([question]);
      client.say(frame("client", PONG, question));
      await until(() => expect(backend.received).toEqual(frame("client", PONG, question)));
      stage.advance(29_900);
      expect(pingsTo(client)).toEqual([question]);
      // Answered, and with the same payload once more: that one waits again.
      backend.say(frame("backend", PING, question));
      await until(() => expect(pingsTo(client)).toHaveLength(2));
      stage.advance(5_000);
      expect(pingsTo(client)).toHaveLength(2);
      tunnel.cut();
    });

    test("that answers is asked again after its next silence, although the timeout is longer", async () => {
      const answers = new Answers();
      const stage = new Stage(factory, () => 0, answers);
      const { client, tunnel } = await stage.join({ policy: { pingMs: 10_000, pongTimeoutMs: 60_000 } });
      for (let count = 1; count <= 3; count += 1) {
        stage.advance(10_000 + LATENESS_MS);
        client.say(frame("client", PONG, await pinged(client, count)));
        await until(() => expect(answers.count).toBe(count));
      }
      tunnel.cut();
    });

    test("is not given up for a Ping that a Close of the backend has overtaken", async () => {
      const answers = new Answers();
      const stage = new Stage(factory, () => 0, answers);
      const { client, backend, tunnel } = await stage.join({ policy: PINGED });
      stage.advance(30_000 + LATENESS_MS);
      await until(() => expect(answers.asked).toBe(1));
      backend.say(frame("backend", CLOSE, closePayload(4_000)));
      await until(() => expect(client.closeCodes).toEqual([4_000]));
      stage.advance(60_000);
      expect(stage.relay.tunnels.has(tunnel)).toBe(true);
      expect(backend.bytesReceived).toBe(0);
      tunnel.cut();
      expect((await stage.end()).cause).toBe("backend_close");
    });

    test("that leaves the backend's Ping unanswered is dead as well", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend } = await stage.join({ policy: PINGED });
      backend.say(frame("backend", PING, HELLO));
      await until(() => expect(client.bytesReceived).toBe(7));
      stage.advance(30_000 + LATENESS_MS);
      stage.advance(20_000 + LATENESS_MS);
      await until(() => expect(backend.closeCodes).toEqual([1_001]));
      backend.socket.end(frame("backend", CLOSE, closePayload(1_001)));
      expect((await stage.end()).cause).toBe("client_dead");
      expect(pingsTo(client)).toEqual([HELLO]);
    });

    test("is not asked behind a Close of either side, nor once the framing is lost", async () => {
      const stage = new Stage(factory, () => 0);
      const closing = await stage.join({ policy: PINGED });
      closing.backend.say(frame("backend", CLOSE, closePayload(1_000)));
      await until(() => expect(closing.client.closeCodes).toEqual([1_000]));
      const closed = await stage.join({ policy: PINGED });
      closed.client.say(frame("client", CLOSE, closePayload(1_000)));
      await until(() => expect(closed.backend.closeCodes).toEqual([1_000]));
      const opaque = await stage.join({ policy: PINGED });
      opaque.client.say(frame("client", 3, HELLO));
      await until(() => expect(opaque.backend.bytesReceived).toBe(11));
      stage.advance(31_000);
      stage.advance(21_000);
      for (const { tunnel, near } of [closing, closed, opaque]) {
        expect([near[0]?.bytesWritten, stage.relay.tunnels.has(tunnel)]).toEqual([tunnel.stats.bytesDown, true]);
        tunnel.cut();
      }
    });
  });

  test("a client that is slow to take what is sent to it is not given up, and gets every byte", async () => {
    const stage = new Stage(factory, () => 0);
    const { client, backend, tunnel, near } = await stage.join({ policy: PINGED });
    client.socket.pause();
    const message = frame("backend", TEXT, Buffer.alloc(60_000, 1));
    const sent = 400;
    for (let index = 0; index < sent; index += 1) backend.socket.write(message);
    await until(() => expect(near[0]?.writableLength).toBeGreaterThan(0));
    for (let round = 0; round < 6; round += 1) stage.advance(25_000);
    expect(stage.relay.tunnels.has(tunnel)).toBe(true);
    client.socket.resume();
    await until(() => expect(client.bytesReceived).toBeGreaterThanOrEqual(sent * message.length));
    const frames = framesIn(client.received);
    expect(frames.filter(({ opcode }) => opcode === TEXT)).toHaveLength(sent);
    expect(frames.filter(({ opcode }) => opcode === PING).length).toBeGreaterThan(0);
    tunnel.cut();
  });

  test.for([
    { name: "before it was asked", isAsked: false },
    { name: "behind its Ping", isAsked: true },
  ])("a client that takes nothing and says nothing for ten timeouts is dead, $name", async ({ isAsked }) => {
    const answers = new Answers();
    const stage = new Stage(factory, () => 0, answers);
    const { client, backend, near } = await stage.join({ policy: PINGED });
    client.socket.pause();
    if (isAsked) {
      stage.advance(30_000 + LATENESS_MS);
      await until(() => expect(answers.asked).toBe(1));
    }
    const message = frame("backend", TEXT, Buffer.alloc(60_000));
    for (let index = 0; index < 400; index += 1) backend.socket.write(message);
    await until(() => expect(near[0]?.writableLength).toBeGreaterThan(0));
    if (!isAsked) stage.advance(30_000 + LATENESS_MS);
    stage.advance(199_000);
    expect(near[0]?.destroyed).toBe(false);
    stage.advance(42_000);
    expect(near[0]?.destroyed).toBe(true);
    backend.socket.destroy();
    expect((await stage.end()).cause).toBe("client_dead");
  });

  test("a client that stops to take what is sent to it behind its Ping is not given up", async () => {
    const answers = new Answers();
    const stage = new Stage(factory, () => 0, answers);
    const { client, backend, tunnel, near } = await stage.join({ policy: PINGED });
    client.socket.pause();
    stage.advance(30_000 + LATENESS_MS);
    await until(() => expect(answers.asked).toBe(1));
    const message = frame("backend", TEXT, Buffer.alloc(60_000));
    for (let index = 0; index < 400; index += 1) backend.socket.write(message);
    await until(() => expect(near[0]?.writableLength).toBeGreaterThan(0));
    for (let round = 0; round < 6; round += 1) stage.advance(25_000);
    expect(stage.relay.tunnels.has(tunnel)).toBe(true);
    client.socket.resume();
    await until(() => expect(client.bytesReceived).toBe(10 + 400 * message.length));
    tunnel.cut();
  });

  test("a Ping that has left may wait in the kernels behind other bytes: a second more for each 64 KiB", async () => {
    const answers = new Answers();
    const stage = new Stage(factory, () => 0, answers);
    const { client, backend, tunnel, near } = await stage.join({ policy: PINGED });
    client.socket.pause();
    const message = frame("backend", TEXT, Buffer.alloc(2 * 65_536));
    backend.say(message);
    await until(() => expect(near[1]?.bytesRead).toBe(message.length));
    await until(() => expect(near[0]?.writableLength).toBe(0));
    stage.advance(30_000 + LATENESS_MS);
    await until(() => expect(answers.asked).toBe(1));
    stage.advance(21_700);
    expect(near[0]?.destroyed).toBe(false);
    stage.advance(300 + LATENESS_MS);
    await until(() => expect(backend.closeCodes).toEqual([1_001]));
    tunnel.cut();
  });

  test("a client that we do not read is not given up: its backend is slow", async () => {
    const stage = new Stage(factory, () => 0);
    const { client, backend, tunnel } = await stage.join({ policy: PINGED, pauseBackend: true });
    const message = frame("client", TEXT, Buffer.alloc(60_000, 1));
    for (let sent = 0; sent < 400; sent += 1) client.socket.write(message);
    await until(() => expect(client.socket.writableLength).toBeGreaterThan(0));
    for (let round = 0; round < 6; round += 1) stage.advance(25_000);
    expect(stage.relay.tunnels.has(tunnel)).toBe(true);
    backend.socket.resume();
    await until(() => expect(backend.bytesReceived).toBe(400 * message.length));
    tunnel.cut();
  });

  describe("a silent backend", () => {
    const policy = { backendPingMs: 10_000, pongTimeoutMs: 5_000 };

    test("gets a masked Ping where the policy says so, and its Pong is kept from the client", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend, tunnel } = await stage.join({ policy });
      stage.advance(10_000 + LATENESS_MS);
      const payload = await pinged(backend);
      expect(framesIn(backend.received)[0]?.isMasked).toBe(true);
      backend.say(frame("backend", PONG, payload), frame("backend", TEXT, HELLO));
      await until(() => expect(client.received).toEqual(frame("backend", TEXT, HELLO)));
      tunnel.cut();
      expect((await stage.end()).stats.bytesDown).toBe(7);
    });

    test("that does not answer is dead: the client is told 1012, the backend 1001", async () => {
      const stage = new Stage(factory, () => 0);
      const { client, backend } = await stage.join({ policy });
      stage.advance(10_000 + LATENESS_MS);
      await pinged(backend);
      stage.advance(5_000 + LATENESS_MS);
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_012], [1_001]]));
      client.socket.end(frame("client", CLOSE, closePayload(1_012)));
      backend.socket.destroy();
      expect(await stage.end()).toMatchObject({ cause: "backend_dead", by: "backend" });
    });
  });

  describe("a policy changed under a live tunnel", () => {
    test("begins, changes and ends the asking", async () => {
      const answers = new Answers();
      const stage = new Stage(factory, () => 0, answers);
      const { client, tunnel, policy } = await stage.join();
      const follow = (change: Partial<stageKit.Joined["policy"]["current"]>): void => {
        policy.current = { ...stageKit.NO_LIMITS, ...change };
        stage.relay.policiesChanged();
      };
      stage.advance(100_000);
      expect(client.bytesReceived).toBe(0);
      follow(PINGED);
      stage.advance(LATENESS_MS);
      client.say(frame("client", PONG, await pinged(client)));
      await until(() => expect(answers.count).toBe(1));
      follow({ ...PINGED, pingMs: 5_000 });
      stage.advance(5_000 + LATENESS_MS);
      await pinged(client, 2);
      follow({});
      stage.advance(1_000_000);
      expect([pingsTo(client).length, stage.relay.tunnels.has(tunnel), stage.pendingTimers()]).toEqual([2, true, 0]);
      tunnel.cut();
    });
  });

  test("a policy that finds many silent for too long asks them spread over a fifth of the silence", async () => {
    const lots: number[] = [];
    const stage = new Stage(factory, () => lots.shift() ?? 0);
    lots.push(0, 0.5, 0.99);
    const joined = [await stage.join(), await stage.join(), await stage.join()];
    stage.advance(100_000);
    for (const { policy } of joined) policy.current = { ...stageKit.NO_LIMITS, ...PINGED };
    stage.relay.policiesChanged();
    const asked = (): number[] => joined.map(({ client }) => pingsTo(client).length);
    for (const expected of [
      [1, 0, 0],
      [1, 1, 0],
      [1, 1, 1],
    ]) {
      stage.advance(LATENESS_MS);
      await until(() => expect(asked()).toEqual(expected));
      stage.advance(2_900);
    }
    for (const { tunnel } of joined) tunnel.cut();
  });

  test("whoever counts is told of each Ping and each answer", async () => {
    const told: unknown[] = [];
    const stage = new Stage(factory, () => 0, {
      pingSent: (side) => told.push(["sent", side]),
      pingAnswered: (side, ms) => told.push(["answered", side, ms]),
    });
    const { client, backend, tunnel } = await stage.join({ policy: { ...PINGED, backendPingMs: 30_000 } });
    stage.advance(30_000 + LATENESS_MS);
    const [toClient, toBackend] = [await pinged(client), await pinged(backend)];
    await until(() => expect(told).toHaveLength(2));
    stage.advance(1_234);
    client.say(frame("client", PONG, toClient));
    backend.say(frame("backend", PONG, toBackend));
    await until(() => expect(told).toHaveLength(4));
    expect(told.slice(0, 2)).toEqual([
      ["sent", "client"],
      ["sent", "backend"],
    ]);
    expect(told).toContainEqual(["answered", "client", 1_234]);
    expect(told).toContainEqual(["answered", "backend", 1_234]);
    tunnel.cut();
    expect((await stage.end()).roundTripMs).toBe(1_234);
  });

  test("a Ping waits behind the head of a frame that is not whole yet", async () => {
    const stage = new Stage(factory, () => 0);
    const { client, backend, tunnel } = await stage.join({ policy: PINGED });
    const head = frameHead("backend", TEXT, 5);
    backend.say(head.subarray(0, 1));
    await until(() => expect(client.bytesReceived).toBe(1));
    stage.advance(31_000);
    backend.say(head.subarray(1), HELLO);
    await until(() => expect(client.bytesReceived).toBe(7 + 10));
    expect(framesIn(client.received).map(({ opcode }) => opcode)).toEqual([TEXT, PING]);
    tunnel.cut();
  });
}
