import { expect, test } from "vitest";
import type { ShutdownPlan } from "./config.ts";
import { type ClosableTunnel, drain, type ShutdownResult } from "./shutdown.ts";

const PLAN: ShutdownPlan = { graceMs: 1_000, deadlineMs: 10_000, spreadMs: 4_000 };
const log = { debug() {}, info() {}, warn() {}, error() {} };

/** A world of its own: time passes only while something sleeps. */
class World {
  nowMs = 0;
  stoppedAtMs: number | undefined;
  openRequests = 0;
  readonly tunnels = new Set<ClosableTunnel>();
  readonly hurriedAt: { readonly id: string; readonly atMs: number }[] = [];
  readonly closedAt: { readonly id: string; readonly atMs: number }[] = [];
  readonly cut = new AbortController();
  readonly #events: { readonly atMs: number; readonly run: () => void }[] = [];

  at(atMs: number, run: () => void): void {
    this.#events.push({ atMs, run });
  }

  /** `lingerMs`: how long it takes from the close to the end; Infinity = a peer that never answers. */
  tunnel(
    id: string,
    options: { readonly lastActiveAtMs?: number; readonly lingerMs?: number; readonly hurriedMs?: number } = {},
  ): ClosableTunnel {
    let isClosing = false;
    const tunnel: ClosableTunnel = {
      lastActiveAtMs: options.lastActiveAtMs ?? 0,
      close: () => {
        if (isClosing) return;
        isClosing = true;
        this.closedAt.push({ id, atMs: this.nowMs });
        this.at(this.nowMs + (options.lingerMs ?? 0), () => this.tunnels.delete(tunnel));
      },
      hurry: () => {
        this.hurriedAt.push({ id, atMs: this.nowMs });
        this.at(this.nowMs + (options.hurriedMs ?? Infinity), () => this.tunnels.delete(tunnel));
      },
    };
    this.tunnels.add(tunnel);
    return tunnel;
  }

  stopListening(): void {
    this.stoppedAtMs = this.nowMs;
  }

  drain(plan = PLAN): Promise<ShutdownResult> {
    return drain({
      plan,
      target: this,
      log,
      now: () => this.nowMs,
      sleep: async (ms) => this.#pass(ms),
      cut: this.cut.signal,
    });
  }

  #pass(ms: number): void {
    this.nowMs += ms;
    for (const event of this.#events.splice(0)) {
      if (event.atMs <= this.nowMs) event.run();
      else this.#events.push(event);
    }
  }
}

test("without tunnels it goes on accepting for the grace and is over then", async () => {
  const world = new World();
  expect(await world.drain()).toEqual({ leftTunnels: 0, leftRequests: 0 });
  expect(world.stoppedAtMs).toBe(1_000);
  expect(world.nowMs).toBe(1_000);
});

test("tunnels go on until the deadline minus the spread and are closed evenly, idlest first", async () => {
  const world = new World();
  for (let i = 0; i < 4; i++) world.tunnel(`t${i}`, { lastActiveAtMs: 100 - i });
  expect(await world.drain()).toEqual({ leftTunnels: 0, leftRequests: 0 });
  expect(world.closedAt).toEqual([
    { id: "t3", atMs: 6_000 },
    { id: "t2", atMs: 7_000 },
    { id: "t1", atMs: 8_000 },
    { id: "t0", atMs: 9_000 },
  ]);
});

test("it is over as soon as the last tunnel has left by itself", async () => {
  const world = new World();
  const tunnel = world.tunnel("t");
  world.at(2_500, () => world.tunnels.delete(tunnel));
  await world.drain();
  expect(world.nowMs).toBeLessThanOrEqual(2_520);
  expect(world.closedAt).toEqual([]);
});

test("a request that is being answered is waited for", async () => {
  const world = new World();
  world.openRequests = 1;
  world.at(3_000, () => (world.openRequests = 0));
  await world.drain();
  expect(world.nowMs).toBe(3_000);
});

test("a tunnel that opened late is closed at the deadline", async () => {
  const world = new World();
  world.tunnel("early", { lingerMs: 5_000 });
  world.at(7_000, () => world.tunnel("late"));
  await world.drain();
  expect(world.closedAt).toContainEqual({ id: "late", atMs: 10_000 });
});

test("who does not leave is left over shortly after the deadline", async () => {
  const world = new World();
  world.tunnel("deaf", { lingerMs: Number.POSITIVE_INFINITY });
  expect(await world.drain()).toEqual({ leftTunnels: 1, leftRequests: 0 });
  expect(world.nowMs).toBe(14_000);
});

test("who still waits for the end of a frame is hurried two seconds after the deadline, once, and then has two more", async () => {
  const world = new World();
  world.tunnel("quick", { lingerMs: 100 });
  world.tunnel("stuck", { lingerMs: Number.POSITIVE_INFINITY, hurriedMs: 1_500 });
  expect(await world.drain()).toEqual({ leftTunnels: 0, leftRequests: 0 });
  expect(world.hurriedAt).toEqual([{ id: "stuck", atMs: 12_000 }]);
  expect(world.nowMs).toBe(13_500);
});

test.for([500, 3_000, 7_000, 11_000])("a second signal after %i ms ends the waiting at once", async (atMs) => {
  const world = new World();
  world.tunnel("deaf", { lingerMs: Number.POSITIVE_INFINITY });
  world.at(atMs, () => world.cut.abort());
  expect(await world.drain()).toEqual({ leftTunnels: 1, leftRequests: 0 });
  expect(world.nowMs).toBe(atMs);
});
