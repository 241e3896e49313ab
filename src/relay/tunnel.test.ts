import { expect, test, vi } from "vitest";
import { createTunnelRelay, TimerWheel } from "./index.ts";
import { type RelayFactory, relayContract } from "./relay.contract.ts";
import { BINARY, frame, NO_LIMITS, NOTHING_NEGOTIATED, Stage, socketPair, until } from "./relay-stage.contract.ts";

const reading =
  (from: "page" | "stream"): RelayFactory =>
  ({ random, onEnd }) => {
    const clock = { ms: 1_000_000 };
    const now = () => clock.ms;
    const wheel = new TimerWheel({ now });
    return {
      relay: createTunnelRelay<string>({ wheel, now, random, reading: from, onEnd }),
      advance: (ms) => {
        clock.ms += ms;
        wheel.advance(clock.ms);
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
