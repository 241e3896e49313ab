import { expect, test } from "vitest";
import { NO_LIMITS } from "./relay-stage.contract.ts";
import { TimerWheel } from "./timer-wheel.ts";
import { TunnelTimers } from "./tunnel-timers.ts";

const TUNNELS = 6_000;
const MAX_MS = 600_000;

/** mulberry32: a small generator whose seed makes a run repeatable. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** When tunnels that opened within one second end, in milliseconds since the first of them opened. */
function endsOf(jitterPercent: number): number[] {
  let nowMs = 0;
  const wheel = new TimerWheel({ now: () => nowMs });
  const random = randomFrom(7);
  const ends: number[] = [];
  for (let i = 0; i < TUNNELS; i++) {
    const openedAtMs = (i / TUNNELS) * 1_000;
    const tunnel = { openedAtMs, lastActiveAtMs: 0, isAheadOfRate: false, close: () => void ends.push(nowMs) };
    const policy = { ...NO_LIMITS, lifetimeMs: MAX_MS, lifetimeJitterPercent: jitterPercent };
    new TunnelTimers(tunnel, policy, { wheel, now: () => nowMs }, random()).start();
  }
  while (nowMs < MAX_MS + 2_000) wheel.advance((nowMs += wheel.tickMs));
  return ends;
}

/** How many fall into each of `count` equal parts of a span. */
function shares(times: readonly number[], span: { fromMs: number; toMs: number }, count: number): number[] {
  const parts = Array.from({ length: count }, () => 0);
  for (const time of times) {
    const part = Math.floor(((time - span.fromMs) / (span.toMs - span.fromMs)) * count);
    parts[Math.min(count - 1, Math.max(0, part))] = (parts[Math.min(count - 1, Math.max(0, part))] ?? 0) + 1;
  }
  return parts;
}

test("tunnels that opened in one second end evenly over the jitter's share of their lifetime, none later than it", () => {
  const ends = endsOf(20);
  expect(ends).toHaveLength(TUNNELS);
  const span = { fromMs: 0.8 * MAX_MS, toMs: MAX_MS + 1_050 };
  expect(Math.min(...ends)).toBeGreaterThanOrEqual(span.fromMs);
  expect(Math.max(...ends)).toBeLessThanOrEqual(span.toMs);
  for (const part of shares(ends, span, 10)) expect(Math.abs(part - TUNNELS / 10)).toBeLessThan(0.15 * (TUNNELS / 10));
  // 121 seconds: no single one has much more than its 50.
  expect(Math.max(...shares(ends, span, 121))).toBeLessThan(1.6 * (TUNNELS / 121));
});

test("without jitter they end together, which is what was asked for", () => {
  const ends = endsOf(0);
  expect(Math.max(...ends) - Math.min(...ends)).toBeLessThanOrEqual(1_050);
});
