import { describe, expect, test } from "vitest";
import { scenarios as gates } from "../../bench/inside/gates.ts";
import { expectPings, keepaliveCost, type PingWindow } from "../../bench/inside/keepalive.ts";
import { idleTunnelBytes } from "../../bench/inside/idle-tunnels.ts";
import { scenarios as timers } from "../../bench/inside/timers.ts";

const WINDOW: PingWindow = { cpuUs: 5_000, ms: 3_000, sent: 40, answered: 40, tunnels: 40 };

test("what it costs to ask silent clients is told for each Ping; every one of them is asked and answers, or it throws", async () => {
  const { usPerPing, percentOfCore } = await keepaliveCost(40);
  // So few cost less than the process itself does from second to second: the difference may even be below 0.
  expect(Number.isFinite(usPerPing)).toBe(true);
  expect(percentOfCore).toBeCloseTo(((40 / 30) * usPerPing * 100) / 1e6, 6);
});

test.each<[string, Partial<PingWindow>]>([
  ["39 of 40 tunnels are left", { tunnels: 39 }],
  ["39 Pings were sent instead of 40", { sent: 39, answered: 39 }],
  ["41 Pings were sent instead of 40", { sent: 41, answered: 41 }],
  ["38 of 40 Pings were answered", { answered: 38 }],
])("a window is no measurement when %s", (words, fields) => {
  expect(() => expectPings({ ...WINDOW, ...fields }, 40, 40)).toThrow(words);
  expect(() => expectPings(WINDOW, 40, 40)).not.toThrow();
});

test("tunnels that there are no descriptors for are refused in words before one is opened", async () => {
  await expect(keepaliveCost(1e9)).rejects.toThrow(/needs 2000000100 open files in a process; the limit is \d+/);
});

test("an idle tunnel has some kilobytes of heap, with keepalive and without", async () => {
  const { byDefault, withoutKeepalive } = await idleTunnelBytes(50, 250);
  for (const { heapUsed } of [byDefault, withoutKeepalive]) {
    expect(heapUsed).toBeGreaterThan(1_000);
    expect(heapUsed).toBeLessThan(50_000);
  }
});

describe("what is timed does what its name says", () => {
  test.each([...gates(), ...timers()])("$name", ({ setup }) => {
    const { prepare, run, expected } = setup();
    for (let time = 0; time < 2; time += 1) {
      prepare?.();
      expect(run()).toBe(expected);
    }
  });
});
