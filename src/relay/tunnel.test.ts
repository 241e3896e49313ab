import { expect, test, vi } from "vitest";
import type { BufferHolder } from "./buffer-holder.ts";
import { createTunnelRelay, TimerWheel, type TunnelEnd } from "./index.ts";
import { type RelayFactory, relayContract } from "./relay.contract.ts";
import {
  BINARY,
  frame,
  NO_LIMITS,
  NOTHING_NEGOTIATED,
  Peer,
  Stage,
  socketPair,
  until,
} from "./relay-stage.contract.ts";

/** Of any stretch of time, at most. */
const STEPS = 2_000;

const reading =
  (from: "page" | "stream"): RelayFactory =>
  ({ random, observer, onEnd }) => {
    const clock = { ms: 1_000_000 };
    const now = () => clock.ms;
    const wheel = new TimerWheel({ now });
    return {
      relay: createTunnelRelay<string>({ wheel, now, random, reading: from, observer, onEnd }),
      // In steps, as time goes: a timer may set another that is due within the same stretch.
      advance: (ms) => {
        const step = Math.max(wheel.tickMs, ms / STEPS);
        for (const end = clock.ms + ms; clock.ms < end; wheel.advance(clock.ms)) {
          clock.ms = Math.min(clock.ms + step, end);
        }
      },
      pendingTimers: () => wheel.size,
    };
  };

const inTypeScript = reading("page");
const asStream = reading("stream");

relayContract("the relay in TypeScript", inTypeScript);
relayContract("the relay in TypeScript, reading as a stream", asStream);

test("what was read of a backend before it broke reaches a client that was slow", async () => {
  // Only a stream reads ahead of what it could write.
  const stage = new Stage(asStream);
  const { client, backend, near, tunnel } = await stage.join();
  client.socket.pause();
  const payload = Buffer.alloc(1_000);
  const one = frame("backend", BINARY, payload);
  for (let index = 0; index < 20_000; index += 1) backend.socket.write(one);
  await until(() => expect(near[1]!.readableLength).toBeGreaterThan(30_000));
  backend.socket.resetAndDestroy();
  const knock = setInterval(() => client.say(frame("client", BINARY, payload)), 5);
  await until(() => expect(near[1]!.destroyed).toBe(true));
  clearInterval(knock);
  client.socket.resume();
  await until(() => expect(client.hasEnded || client.closeCodes.length > 0).toBe(true));
  client.socket.end();
  const end = await stage.end();
  expect(end.cause).toBe("backend_lost");
  expect(end.stats.bytesDown).toBe(near[1]!.bytesRead);
  expect(client.bytesReceived).toBe(end.stats.bytesDown + (end.midFrame ? 0 : 4));
  expect(tunnel.stats).toEqual(end.stats);
});

test("the clock of the wheel goes on while there is a tunnel, and rests after the last", async () => {
  const [, client] = await socketPair();
  const [, backend] = await socketPair();
  const now = () => performance.now();
  const wheel = new TimerWheel({ now, tickMs: 5 });
  wheel.start();
  let ended = 0;
  const relay = createTunnelRelay<string>({ wheel, now, random: Math.random, onEnd: () => (ended += 1) });
  const early = new Uint8Array(0);
  const tunnel = relay.join({
    client: { socket: client, early },
    backend: { socket: backend, early },
    policy: { current: NO_LIMITS },
    negotiated: NOTHING_NEGOTIATED,
    context: "one",
  });
  const before = wheel.nowMs;
  await vi.waitFor(() => expect(wheel.nowMs).toBeGreaterThan(before + 20));
  tunnel.cut();
  await vi.waitFor(() => expect(ended).toBe(1));
  let last = -1;
  await vi.waitFor(
    () => {
      const isResting = wheel.nowMs === last;
      last = wheel.nowMs;
      expect(isResting).toBe(true);
    },
    { interval: 30 },
  );
  wheel.stop();
});

test("sockets probe their peers once a tunnel has lived some seconds, and never in a storm of short ones", async () => {
  const stage = new Stage(inTypeScript);
  const brief = await stage.join();
  const lasting = await stage.join();
  const probes = [...brief.near, ...lasting.near].map((socket) => vi.spyOn(socket, "setKeepAlive"));
  for (const peer of [brief.client, brief.backend]) peer.socket.destroy();
  await until(() => expect(stage.ends).toHaveLength(1));
  stage.advance(4_900);
  for (const probe of probes) expect(probe).not.toHaveBeenCalled();
  const late = await stage.join();
  stage.advance(200);
  expect(probes.map((probe) => probe.mock.calls)).toEqual([[], [], [[true, 60_000]], [[true, 60_000]]]);
  const lateProbe = vi.spyOn(late.near[0]!, "setKeepAlive");
  stage.advance(5_100);
  expect(lateProbe.mock.calls).toEqual([[true, 60_000]]);
  expect(stage.pendingTimers()).toBe(0);
});

test("of hundreds of tunnels that opened together some are settled in each tick, and within some ticks all", async () => {
  const stage = new Stage(inTypeScript);
  const joined = await Promise.all(Array.from({ length: 300 }, () => stage.join()));
  const probes = joined.map(({ near }) => vi.spyOn(near[0]!, "setKeepAlive"));
  const settled = (): number => probes.filter((probe) => probe.mock.calls.length === 1).length;
  stage.advance(5_000);
  const first = settled();
  expect(first).toBeLessThanOrEqual(128);
  stage.advance(50);
  expect(settled() - first).toBeLessThanOrEqual(128);
  stage.advance(150);
  expect(settled()).toBe(300);
  expect(stage.pendingTimers()).toBe(0);
});

test.for([
  { name: "that reads on is told 1013", reads: true },
  { name: "that does not is waited for no longer than the linger", reads: false },
])("whoever the budget sheds has its backend told 1001; a client $name", async ({ reads }) => {
  const clock = { ms: 1_000_000 };
  const now = () => clock.ms;
  const wheel = new TimerWheel({ now });
  const holders: BufferHolder[] = [];
  const ends: TunnelEnd[] = [];
  const relay = createTunnelRelay<string>({
    wheel,
    now,
    random: () => 0,
    budget: { note: (holder) => void holders.push(holder), forget: () => {} },
    onEnd: (_tunnel, end) => void ends.push(end),
  });
  const [clientFar, client] = await socketPair();
  const [backendFar, backend] = await socketPair();
  const [clientPeer, backendPeer] = [new Peer(clientFar), new Peer(backendFar)];
  clientFar.pause();
  const early = new Uint8Array(0);
  const sides = { client: { socket: client, early }, backend: { socket: backend, early } };
  const joined = { ...sides, policy: { current: NO_LIMITS }, negotiated: NOTHING_NEGOTIATED, context: "" };
  const tunnel = relay.join(joined);
  const message = frame("backend", BINARY, Buffer.alloc(60_000));
  // One by one: what waits ends with a frame.
  for (let sent = message.length; client.writableLength === 0; sent += message.length) {
    backendFar.write(message);
    await until(() => expect(tunnel.stats.bytesDown).toBe(sent));
  }
  const [holder] = holders;
  expect(holder?.waitingBytes).toBeGreaterThan(0);
  holder?.shed();
  await until(() => expect(backendPeer.closeCodes).toEqual([1_001]));
  if (reads) {
    clientFar.resume();
    await until(() => expect(clientPeer.closeCodes).toEqual([1_013]));
  }
  wheel.advance((clock.ms += 5_100));
  wheel.advance((clock.ms += 100));
  expect([client.destroyed, backend.destroyed]).toEqual([true, true]);
  await until(() => expect(ends).toHaveLength(1));
  // Of what never left nobody can say that it was told.
  const codeToClient = reads ? 1_013 : undefined;
  expect(ends[0]).toMatchObject({ cause: "buffers_full", by: "holdfast", codeToClient, codeToBackend: 1_001 });
  expect(holder?.waitingBytes).toBe(0);
  expect(clientPeer.error).toBeUndefined();
});

test("what waits for its time is told to the budget, until it has gone on", async () => {
  const now = () => 1_000_000;
  const holders: BufferHolder[] = [];
  const relay = createTunnelRelay<string>({
    wheel: new TimerWheel({ now }),
    now,
    random: () => 0,
    budget: { note: (holder) => void holders.push(holder), forget: () => {} },
    onEnd: () => {},
  });
  const [clientFar, client] = await socketPair();
  const [backendFar, backend] = await socketPair();
  const early = new Uint8Array(0);
  const policy = { current: { ...NO_LIMITS, messagesPerSecond: 10, onLimit: "Pause" as "Pause" | "Close" } };
  const sides = { client: { socket: client, early }, backend: { socket: backend, early } };
  const tunnel = relay.join({ ...sides, policy, negotiated: NOTHING_NEGOTIATED, context: "" });
  const one = frame("client", BINARY, Buffer.alloc(10));
  clientFar.write(Buffer.concat(Array.from({ length: 100 }, () => one)));
  await until(() => expect(holders).toHaveLength(1));
  expect(holders[0]?.waitingBytes).toBe(90 * one.length);
  policy.current = { ...NO_LIMITS, onLimit: "Pause" };
  relay.policiesChanged();
  backendFar.resume();
  await until(() => expect(holders[0]?.waitingBytes).toBe(0));
  tunnel.cut();
});

test("whoever the budget does not let us read is not given up for its silence, and has its time again behind it", async () => {
  const clock = { ms: 1_000_000 };
  const now = () => clock.ms;
  const wheel = new TimerWheel({ now });
  const advance = (ms: number) => wheel.advance((clock.ms += ms));
  const [clientFar, client] = await socketPair();
  const [backendFar, backend] = await socketPair();
  const holders: { hold(): void; release(): void }[] = [];
  let asked = 0;
  let ended = 0;
  const relay = createTunnelRelay<string>({
    wheel,
    now,
    random: () => 0,
    budget: { note: (holder) => void holders.push(holder), forget: () => {} },
    observer: { pingSent: () => (asked += 1), pingAnswered: () => {} },
    onEnd: () => (ended += 1),
  });
  const early = new Uint8Array(0);
  const current = { ...NO_LIMITS, pingMs: 30_000, pongTimeoutMs: 20_000 };
  const sides = { client: { socket: client, early }, backend: { socket: backend, early } };
  const tunnel = relay.join({ ...sides, policy: { current }, negotiated: NOTHING_NEGOTIATED, context: "" });
  const message = frame("client", BINARY, Buffer.alloc(60_000));
  for (let index = 0; index < 200; index += 1) clientFar.write(message);
  await until(() => expect(holders.length).toBeGreaterThan(0));
  backendFar.resume();
  await until(() => expect(tunnel.stats.messagesUp).toBe(200));
  for (let second = 0; second < 31; second += 1) advance(1_000);
  await until(() => expect(asked).toBe(1));
  holders[0]?.hold();
  for (let round = 0; round < 5; round += 1) advance(20_000);
  advance(10_000);
  expect([relay.tunnels.has(tunnel), client.destroyed]).toEqual([true, false]);
  holders[0]?.release();
  advance(19_800);
  expect(client.destroyed).toBe(false);
  advance(400);
  expect(client.destroyed).toBe(true);
  tunnel.cut();
  await until(() => expect(ended).toBe(1));
});
