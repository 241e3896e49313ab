import { describe, expect, test } from "vitest";
import * as stageKit from "./relay-stage.contract.ts";

const { CLOSE, Stage, TEXT, closePayload, frame, listenersOf, until } = stageKit;

const HELLO = Buffer.from("hello");
/** A timer may be a tick late, and idle looks one tick further. */
const LATENESS_MS = 100;
/** By then a new tunnel has made its sockets probe their peers, and no timer but those of its policy is left. */
const SETTLED_MS = 10_100;

/** Timers of the policy, and what is left when tunnels are gone. */
export function policyContract(factory: stageKit.RelayFactory): void {
  describe("idle", () => {
    test("ends a tunnel after the time in which no byte came", async () => {
      const stage = new Stage(factory);
      const { client, backend } = await stage.join({ policy: { idleMs: 60_000 } });
      stage.advance(59_900);
      client.say(frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      stage.advance(59_900);
      backend.say(frame("backend", TEXT, HELLO));
      await until(() => expect(client.bytesReceived).toBe(7));
      stage.advance(59_900);
      expect([client.closeCodes, backend.closeCodes]).toEqual([[], []]);
      stage.advance(100 + LATENESS_MS);
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_001], [1_001]]));
      client.socket.end();
      backend.socket.end();
      const end = await stage.end();
      expect(end.cause).toBe("idle");
      expect(end.durationMs).toBeGreaterThanOrEqual(3 * 59_900);
    });

    test("notes the time of the last bytes, as exact as a tick", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel } = await stage.join();
      stage.advance(10_000);
      client.say(frame("client", TEXT, HELLO));
      await until(() => expect(backend.bytesReceived).toBe(11));
      stage.advance(10_000);
      expect(tunnel.lastActiveAtMs - tunnel.openedAtMs).toBeGreaterThan(9_900);
      expect(tunnel.lastActiveAtMs - tunnel.openedAtMs).toBeLessThan(10_100);
    });

    test("of 0 is never", async () => {
      const stage = new Stage(factory);
      const { tunnel } = await stage.join();
      stage.advance(SETTLED_MS);
      expect(stage.pendingTimers()).toBe(0);
      stage.advance(1_000_000_000);
      expect(stage.relay.tunnels.has(tunnel)).toBe(true);
    });
  });

  describe("lifetime", () => {
    test.for([
      { name: "without jitter it is the whole", jitter: 0, random: 0.99, endsAtMs: 100_000 },
      { name: "jitter takes its share of it by lot", jitter: 20, random: 0.5, endsAtMs: 90_000 },
      { name: "jitter of 100 may take all of it", jitter: 100, random: 0.999, endsAtMs: 100 },
    ])("$name", async ({ jitter, random, endsAtMs }) => {
      const stage = new Stage(factory, () => random);
      const policy = { lifetimeMs: 100_000, lifetimeJitterPercent: jitter };
      const { client, backend } = await stage.join({ policy });
      stage.advance(endsAtMs - 100);
      expect(client.closeCodes).toEqual([]);
      stage.advance(100 + LATENESS_MS);
      await until(() => expect([client.closeCodes, backend.closeCodes]).toEqual([[1_001], [1_001]]));
      client.socket.end();
      backend.socket.end();
      expect((await stage.end()).cause).toBe("lifetime");
    });
  });

  describe("a policy changed under a live tunnel", () => {
    test("takes a limit away", async () => {
      const stage = new Stage(factory);
      const { tunnel, policy } = await stage.join({ policy: { idleMs: 1_000, lifetimeMs: 2_000 } });
      policy.current = stageKit.NO_LIMITS;
      stage.relay.policiesChanged();
      stage.advance(SETTLED_MS);
      expect(stage.pendingTimers()).toBe(0);
      stage.advance(1_000_000);
      expect(stage.relay.tunnels.has(tunnel)).toBe(true);
    });

    test.for([
      { name: "sets idle, counted from the last byte", policy: { idleMs: 5_000 }, cause: "idle" },
      { name: "sets a lifetime, counted from the opening", policy: { lifetimeMs: 5_000 }, cause: "lifetime" },
    ])("$name", async ({ policy: change, cause }) => {
      const stage = new Stage(factory);
      const { client, backend, policy } = await stage.join();
      stage.advance(4_000);
      policy.current = { ...stageKit.NO_LIMITS, ...change };
      stage.relay.policiesChanged();
      stage.advance(900);
      expect(client.closeCodes).toEqual([]);
      stage.advance(100 + LATENESS_MS);
      await until(() => expect(client.closeCodes).toEqual([1_001]));
      client.socket.end();
      backend.socket.end();
      expect((await stage.end()).cause).toBe(cause);
    });

    test.for([
      { name: "idle", change: { idleMs: 10_000 } },
      { name: "lifetime", change: { lifetimeMs: 10_000 } },
    ])("that finds many tunnels overdue ends them by $name spread over a fifth of it", async ({ change }) => {
      const lots: number[] = [];
      const stage = new Stage(factory, () => lots.shift() ?? 0);
      lots.push(0, 0.5, 0.99);
      const joined = [await stage.join(), await stage.join(), await stage.join()];
      stage.advance(60_000);
      for (const { policy } of joined) policy.current = { ...stageKit.NO_LIMITS, ...change };
      stage.relay.policiesChanged();
      const closed = (): number[] => joined.map(({ client }) => client.closeCodes.length);
      stage.advance(LATENESS_MS);
      await until(() => expect(closed()).toEqual([1, 0, 0]));
      stage.advance(1_000);
      await until(() => expect(closed()).toEqual([1, 1, 0]));
      stage.advance(1_000);
      await until(() => expect(closed()).toEqual([1, 1, 1]));
      for (const { tunnel } of joined) tunnel.cut();
    });

    test("has no say in an end under way", async () => {
      const stage = new Stage(factory);
      const { client, backend, tunnel, policy } = await stage.join({ policy: { idleMs: 1_000 } });
      tunnel.close("proxy_shutdown");
      policy.current = { ...stageKit.NO_LIMITS, idleMs: 10 };
      stage.relay.policiesChanged();
      stage.advance(1_000);
      client.socket.end();
      backend.socket.end();
      expect((await stage.end()).cause).toBe("proxy_shutdown");
    });
  });

  test("after 200 tunnels opened and ended in every way, no timer, listener or tunnel is left, and each ended once", async () => {
    const stage = new Stage(factory);
    const ways: ((joined: stageKit.Joined) => void)[] = [
      ({ tunnel }) => tunnel.cut(),
      ({ tunnel, client, backend }) => {
        tunnel.close("proxy_shutdown");
        client.socket.end(frame("client", CLOSE, closePayload(1_012)));
        backend.socket.end(frame("backend", CLOSE, closePayload(1_001)));
      },
      ({ client, backend }) => {
        client.socket.end(frame("client", CLOSE, closePayload(1_000)));
        backend.socket.end(frame("backend", CLOSE, closePayload(1_000)));
      },
      ({ client, backend }) => {
        client.socket.resetAndDestroy();
        backend.socket.end();
      },
      ({ client, backend }) => {
        backend.socket.resetAndDestroy();
        client.socket.end();
      },
      ({ client, backend }) => {
        backend.socket.destroy();
        client.socket.destroy();
      },
      ({ client, backend }) => {
        client.say(Buffer.from("no frames at all"));
        client.socket.end();
        backend.socket.end();
      },
      ({ near, backend }) => {
        near[0]?.destroy(new Error("by another hand"));
        backend.socket.end();
      },
    ];
    const cycles = 200;
    const all: stageKit.Joined[] = [];
    for (let index = 0; index < cycles; index += 1) {
      const policy = { idleMs: 60_000, lifetimeMs: 3_600_000 };
      const joined = await stage.join({ policy, context: String(index) });
      all.push(joined);
      joined.client.say(frame("client", TEXT, HELLO));
      await until(() => expect(joined.backend.bytesReceived).toBe(11));
      ways[index % ways.length]?.(joined);
    }
    await until(() => expect(stage.ends.length).toBeGreaterThanOrEqual(cycles));
    expect(new Set(stage.endedContexts).size).toBe(cycles);
    expect(stage.ends).toHaveLength(cycles);
    expect(stage.relay.tunnels.size).toBe(0);
    expect(stage.pendingTimers()).toBe(0);
    // What still listens to a closed socket is the same for all of them: no tunnel is held by it.
    const left = all.flatMap(({ near, listenersBefore }) =>
      near.flatMap(listenersOf).filter((listener) => !listenersBefore.includes(listener)),
    );
    expect(new Set(left).size).toBeLessThanOrEqual(stageKit.EVENTS.length);
  });
}
