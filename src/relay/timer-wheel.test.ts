import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { TimerWheel } from "./index.ts";

const TICK_MS = 50;

function fakeWheel(slots: number): { clock: { ms: number }; wheel: TimerWheel; advance: (ms: number) => void } {
  const clock = { ms: 1_234.5 };
  const wheel = new TimerWheel({ now: () => clock.ms, tickMs: TICK_MS, slots });
  const advance = (ms: number) => {
    clock.ms += ms;
    wheel.advance(clock.ms);
  };
  return { clock, wheel, advance };
}

describe("with a clock moved by hand", () => {
  test("every timer fires once, never early, at most a tick late, in order; cancelled ones never", () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("schedule" as const), ms: fc.integer({ min: 0, max: 5_000 }) }),
        fc.record({ kind: fc.constant("cancel" as const), ms: fc.nat() }),
        fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 400 }) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 8, max: 40 }), (script, slots) => {
        const { clock, wheel, advance } = fakeWheel(slots);
        const timers: { dueMs: number; handle: { isPending: boolean }; state: string; firedMs: number }[] = [];
        const order: number[] = [];
        for (const { kind, ms } of [
          ...script,
          ...Array.from({ length: 30 }, () => ({ kind: "advance" as const, ms: 200 })),
        ]) {
          if (kind === "schedule") {
            const timer = { dueMs: clock.ms + ms, handle: { isPending: true }, state: "waits", firedMs: 0 };
            timer.handle = wheel.schedule(ms, () => {
              expect(timer.state).toBe("waits");
              timer.state = "fired";
              timer.firedMs = clock.ms;
              order.push(Math.ceil(timer.dueMs / TICK_MS));
            });
            timers.push(timer);
          } else if (kind === "cancel" && timers.length > 0) {
            const timer = timers[ms % timers.length]!;
            if (timer.state === "waits") timer.state = "cancelled";
            wheel.cancel(timer.handle);
          } else if (kind === "advance") {
            const before = clock.ms;
            advance(ms);
            for (const timer of timers) {
              if (timer.state === "waits") expect(timer.dueMs + TICK_MS).toBeGreaterThan(clock.ms);
              if (timer.state === "fired") expect(timer.firedMs).toBeGreaterThanOrEqual(timer.dueMs);
              if (timer.firedMs === clock.ms) expect(timer.dueMs + TICK_MS).toBeGreaterThan(before);
            }
            expect(order).toEqual([...order].sort((a, b) => a - b));
            order.length = 0;
          }
          expect(wheel.size).toBe(timers.filter((timer) => timer.state === "waits").length);
        }
        expect(wheel.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("a leap over many turns fires all that is due and keeps the rest", () => {
    const { wheel, advance } = fakeWheel(16);
    const fired: number[] = [];
    for (const ms of [10, 900, 5_000, 1_000_000]) wheel.schedule(ms, () => fired.push(ms));
    advance(900_000);
    expect(fired.sort((a, b) => a - b)).toEqual([10, 900, 5_000]);
    advance(100_100);
    expect(fired).toHaveLength(4);
  });

  test("a callback may cancel its neighbour and schedule anew", () => {
    const { wheel, advance } = fakeWheel(16);
    const fired: string[] = [];
    wheel.schedule(100, () => {
      fired.push("first");
      wheel.cancel(neighbour);
      wheel.schedule(0, () => fired.push("anew"));
    });
    const neighbour = wheel.schedule(100, () => fired.push("neighbour"));
    advance(150);
    expect(fired).toEqual(["first"]);
    advance(50);
    expect(fired).toEqual(["first", "anew"]);
    expect(wheel.size).toBe(0);
  });

  test("scheduling and cancelling 200,000 timers in one slot does not slow down with their number", () => {
    const { wheel } = fakeWheel(16);
    const handles = Array.from({ length: 200_000 }, () => wheel.schedule(100, () => {}));
    for (const handle of handles) wheel.cancel(handle);
    for (const handle of handles) wheel.cancel(handle);
    expect(wheel.size).toBe(0);
  });
});

describe("driven by its interval", () => {
  test("timers fire, and the interval rests when nothing is scheduled and nobody holds the clock", async () => {
    vi.useFakeTimers();
    try {
      const wheel = new TimerWheel({ now: () => performance.now(), tickMs: TICK_MS });
      wheel.start();
      expect(vi.getTimerCount()).toBe(0);
      let fired = 0;
      wheel.schedule(120, () => (fired += 1));
      expect(vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(200);
      expect(fired).toBe(1);
      expect(vi.getTimerCount()).toBe(0);

      wheel.holdClock();
      const before = wheel.nowMs;
      vi.advanceTimersByTime(1_000);
      expect(wheel.nowMs - before).toBe(1_000);
      wheel.releaseClock();
      vi.advanceTimersByTime(TICK_MS);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test("after stop nothing fires until start", () => {
    vi.useFakeTimers();
    try {
      const wheel = new TimerWheel({ now: () => performance.now(), tickMs: TICK_MS });
      let fired = 0;
      wheel.start();
      wheel.schedule(120, () => (fired += 1));
      wheel.stop();
      vi.advanceTimersByTime(1_000);
      expect(fired).toBe(0);
      wheel.start();
      expect(fired).toBe(1);
      wheel.stop();
    } finally {
      vi.useRealTimers();
    }
  });
});
