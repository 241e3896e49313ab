import { expect, test } from "vitest";
import type { After } from "../controller/index.ts";
import { Pulse } from "./pulse.ts";

/** Time by hand: each step runs what falls due in it, in order. */
function handClock() {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; run: () => void }>();
  const after: After = (delayMs, run) => {
    const timer = { atMs: nowMs + delayMs, run };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const pass = async (ms: number): Promise<void> => {
    const untilMs = nowMs + ms;
    for (;;) {
      const [next] = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      timers.delete(next);
      nowMs = next.atMs;
      next.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    nowMs = untilMs;
  };
  return { after, pass, now: () => nowMs, timers };
}

function watched(answer: () => Promise<"Same" | "Moved">) {
  const clock = handClock();
  const told = { deaths: [] as number[], asked: [] as number[] };
  const pulse = new Pulse({
    silenceMs: 100,
    after: clock.after,
    now: clock.now,
    onDead: () => told.deaths.push(clock.now()),
    ask: () => {
      told.asked.push(clock.now());
      return answer();
    },
  });
  return { ...clock, ...told, pulse };
}

const moved = () => Promise.resolve("Moved" as const);
const same = () => Promise.resolve("Same" as const);
const failing = () => Promise.reject(new Error("unreachable"));

test.for([
  { name: "although something was stored", answer: moved },
  { name: "and the server does not answer either", answer: failing },
])("silence $name is death, told once", async ({ answer }) => {
  const { pass, deaths, asked, timers } = watched(answer);
  await pass(99);
  expect(deaths).toEqual([]);
  await pass(500);
  expect(deaths).toEqual([100]);
  expect(asked).toEqual([40]);
  expect(timers.size).toBe(0);
});

test("silence while nothing was stored is none", async () => {
  const { pass, deaths, asked } = watched(same);
  await pass(1000);
  expect(deaths).toEqual([]);
  expect(asked.slice(0, 3)).toEqual([40, 80, 120]);
});

test("a watch that has spoken is not asked about any more, and is dead after the next silence", async () => {
  const { pass, deaths, asked, pulse } = watched(moved);
  await pass(30);
  pulse.heard();
  await pass(90);
  pulse.heard();
  await pass(99);
  expect(deaths).toEqual([]);
  await pass(1);
  expect(deaths).toEqual([220]);
  expect(asked).toEqual([]);
});

test("the stop leaves no timer, while it is being asked too", async () => {
  const answers = Promise.withResolvers<"Same">();
  const { pass, pulse, timers } = watched(() => answers.promise);
  await pass(50);
  pulse.stop();
  answers.resolve("Same");
  await pass(500);
  expect(timers.size).toBe(0);
});
