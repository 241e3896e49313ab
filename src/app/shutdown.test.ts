import { expect, test } from "vitest";
import { OrderedDrains } from "../drain/index.ts";
import { DrainWorld, mostInAWindow, type TunnelShape } from "../drain/drain.fixture.ts";
import type { ShutdownPlan } from "./config.ts";
import { shutDown, type ShutdownResult } from "./shutdown.ts";

const PLAN: ShutdownPlan = { graceMs: 1_000, deadlineMs: 11_000 };
/** Where the last close is told: the deadline less the tail in which it finds its message's end. */
const LAST_CLOSE_MS = 9_000;

/** A process that ends; time passes only while something sleeps. */
class EndingProcess {
  readonly world = new DrainWorld();
  readonly drains = new OrderedDrains({
    wheel: this.world.wheel,
    now: this.world.now,
    observer: this.world.observer,
    tunnels: this.world.tunnels,
    random: () => 0.5,
    backends: { cordon: () => {}, uncordon: () => {} },
  });
  readonly cut = new AbortController();
  readonly lines: { readonly message: string; readonly fields: object }[] = [];
  readonly #events: { readonly atMs: number; readonly run: () => void }[] = [];
  leftAtMs: number | undefined;
  stoppedAtMs: number | undefined;
  openRequests = 0;

  constructor() {
    this.world.onEnded = (tunnel) => this.drains.ended(tunnel);
  }

  get tunnels(): DrainWorld["tunnels"] {
    return this.world.tunnels;
  }

  get drainedForMs(): number {
    return this.drains.processDrainedForMs ?? 0;
  }

  at(atMs: number, run: () => void): void {
    this.#events.push({ atMs, run });
  }

  open(shape: TunnelShape = {}): void {
    this.drains.opened(this.world.open(shape));
  }

  leave(): void {
    this.leftAtMs = this.world.nowMs;
  }

  stopListening(): void {
    this.stoppedAtMs = this.world.nowMs;
  }

  closeAll(withinMs: number): void {
    this.drains.shutDown(withinMs);
  }

  shutDown(plan = PLAN): Promise<ShutdownResult> {
    const say = (fields: object, message: string): void => void this.lines.push({ message, fields });
    return shutDown({
      plan,
      target: this,
      log: { debug: say, info: say, warn: say, error: say },
      now: this.world.now,
      sleep: async (ms) => this.#pass(ms),
      cut: this.cut.signal,
    });
  }

  #pass(ms: number): void {
    this.world.pass(ms);
    for (const event of this.#events.splice(0)) {
      if (event.atMs <= this.world.nowMs) event.run();
      else this.#events.push(event);
    }
  }
}

test("without tunnels it goes on accepting for the grace and is over then", async () => {
  const process = new EndingProcess();
  expect(await process.shutDown()).toEqual({ leftTunnels: 0, leftRequests: 0 });
  expect([process.leftAtMs, process.stoppedAtMs, process.world.nowMs]).toEqual([0, 1_000, 1_000]);
});

test.for([10, 1_000, 9_000])(
  "%i tunnels are closed evenly from the grace's end to the deadline's tail",
  async (count) => {
    const process = new EndingProcess();
    process.world.openMany(count);
    expect(await process.shutDown()).toEqual({ leftTunnels: 0, leftRequests: 0 });
    const { closed, closeTimes } = process.world;
    expect(new Set(closed.map(({ name }) => name)).size).toBe(count);
    expect(new Set(closed.map(({ cause, code }) => `${cause} ${code}`))).toEqual(new Set(["proxy_shutdown undefined"]));
    expect(Math.min(...closeTimes)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...closeTimes)).toBeLessThanOrEqual(LAST_CLOSE_MS + 50);
    expect(mostInAWindow(closeTimes, 1_000)).toBeLessThanOrEqual(Math.ceil((1.2 * count) / 8));
  },
);

test("the idlest is closed first", async () => {
  const process = new EndingProcess();
  for (const [name, lastActiveAtMs] of [
    ["late", -1],
    ["early", -300],
    ["middle", -20],
  ] as const) {
    process.world.open({ name, lastActiveAtMs });
  }
  await process.shutDown();
  expect(process.world.closed.map(({ name }) => name)).toEqual(["early", "middle", "late"]);
});

test("it is over as soon as the last tunnel has left by itself", async () => {
  const process = new EndingProcess();
  const tunnel = process.world.open();
  process.at(2_500, () => process.world.end(tunnel));
  await process.shutDown();
  expect(process.world.nowMs).toBeLessThanOrEqual(2_520);
  expect(process.world.closed).toEqual([]);
});

test("a request that is being answered is waited for", async () => {
  const process = new EndingProcess();
  process.openRequests = 1;
  process.at(3_000, () => (process.openRequests = 0));
  await process.shutDown();
  expect(process.world.nowMs).toBe(3_000);
});

test("a tunnel whose handshake was under way is closed with the others, before the deadline", async () => {
  const process = new EndingProcess();
  process.openRequests = 1;
  process.at(7_000, () => {
    process.open({ name: "late" });
    process.openRequests = 0;
  });
  expect(await process.shutDown()).toEqual({ leftTunnels: 0, leftRequests: 0 });
  const [late] = process.world.closed;
  expect(late).toMatchObject({ name: "late" });
  expect(late?.atMs).toBeLessThanOrEqual(LAST_CLOSE_MS + 50);
});

test("one that opens behind the deadline is closed at once", async () => {
  const process = new EndingProcess();
  process.openRequests = 1;
  process.at(11_500, () => {
    process.open({ name: "late" });
    process.openRequests = 0;
  });
  expect(await process.shutDown()).toEqual({ leftTunnels: 0, leftRequests: 0 });
  expect(process.world.closed[0]?.atMs).toBeLessThanOrEqual(11_600);
});

test("who does not leave is left over shortly after the deadline, and was hurried once before", async () => {
  const process = new EndingProcess();
  process.world.open({ name: "deaf", lingerMs: Number.POSITIVE_INFINITY });
  expect(await process.shutDown()).toEqual({ leftTunnels: 1, leftRequests: 0 });
  expect(process.world.hurried).toEqual([{ name: "deaf", atMs: 13_000 }]);
  expect(process.world.nowMs).toBe(15_000);
});

test("each second the log says how many are left", async () => {
  const process = new EndingProcess();
  process.world.openMany(100);
  await process.shutDown();
  const left = process.lines.flatMap(({ message, fields }) =>
    message === "closing tunnels" && "left" in fields ? [Number(fields.left)] : [],
  );
  expect(left.length).toBeGreaterThanOrEqual(7);
  expect(left).toEqual([...left].sort((a, b) => b - a));
});

test("what an operator has drained already counts as grace, and his orders are called off", async () => {
  const process = new EndingProcess();
  const orders = { withinMs: 60_000, perSecond: 0, closeCode: 4_000, closeReason: "away", graceMs: 600_000 };
  process.drains.drainProcess(orders);
  process.world.openMany(5).forEach((tunnel) => process.drains.opened(tunnel));
  process.world.pass(700);
  await process.shutDown();
  expect(process.stoppedAtMs).toBe(1_000);
  expect(process.world.closed.every(({ cause }) => cause === "proxy_shutdown")).toBe(true);
  expect(process.world.closed).toHaveLength(5);
});

test.for([500, 3_000, 7_000, 12_000])("a second signal after %i ms ends the waiting at once", async (atMs) => {
  const process = new EndingProcess();
  process.world.open({ lingerMs: Number.POSITIVE_INFINITY });
  process.at(atMs, () => process.cut.abort());
  expect(await process.shutDown()).toEqual({ leftTunnels: 1, leftRequests: 0 });
  expect(process.world.nowMs).toBe(atMs);
});
