import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mostInAWindow } from "./drain.fixture.ts";
import { PROCESS_DRAIN } from "./index.ts";
import { Story } from "./story.fixture.ts";
import type { DrainFacts } from "./types.ts";

const [A, B] = ["10.0.0.1", "10.0.0.2"] as const;
const TARGET = `${A}:80`;
const BACKEND_DRAIN = `backend/${TARGET}`;
const ORDERS = { withinMs: 10_000, perSecond: 0, closeCode: 1012, closeReason: "" };
const FOREVER = Number.POSITIVE_INFINITY;

/** So many tunnels on A, and as many on B. */
function storyWith(count: number): Story {
  const story = new Story();
  story.list([A, B]);
  story.edit({ drain: { onBackendRemoval: "Keep" } });
  story.connect(count, { on: A, name: "a" });
  story.connect(count, { on: B, name: "b" });
  return story;
}

function endAll({ world }: Story): void {
  for (const tunnel of world.tunnels) world.end(tunnel);
}

/** What a promise has come to by now; undefined = it still waits. */
async function stateOf(over: Promise<DrainFacts> | undefined): Promise<string | undefined> {
  const facts = await Promise.race([over, Promise.resolve(undefined)]);
  return facts?.state;
}

describe("tunnels that an operator picked", () => {
  test("they and no others are closed within the time, with the code and reason of the order", () => {
    const story = storyWith(4);
    const picked = [...story.world.tunnels].slice(0, 3);
    expect(story.ordered.close(picked, { ...ORDERS, closeCode: 4_100, closeReason: "bye" }, "route a/b")).toMatchObject(
      {
        id: "close/1",
        reason: "operator",
        text: "route a/b",
        backend: undefined,
        waiting: 3,
      },
    );
    story.connect(1, { on: A, name: "later" });
    story.world.pass(60_000);
    expect(story.world.closed.map(({ name, cause, code, reason }) => `${name} ${cause} ${code} ${reason}`)).toEqual(
      picked.map(({ name }) => `${name} admin 4100 bye`),
    );
    expect(Math.max(...story.world.closeTimes)).toBeLessThanOrEqual(8_050);
    expect(story.world.headlines).toEqual(["began close/1", "done close/1"]);
    expect([...story.ordered.facts()]).toEqual([]);
    expect(story.world.wheel.size).toBe(0);
    expect(story.offered).toEqual(new Set([A, B]));
  });

  test("never faster than its rate, and what is left at the deadline is told", () => {
    const story = storyWith(20);
    story.ordered.close([...story.world.tunnels], { ...ORDERS, perSecond: 2 }, "all");
    story.world.pass(60_000);
    expect(story.world.closed).toHaveLength(40);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBe(2);
    expect(story.world.headlines).toEqual(["began close/1", "late close/1", "done close/1"]);
  });

  test("within no time all are closed at once, and nobody is late", () => {
    const story = storyWith(100);
    story.ordered.close([...story.world.tunnels], { ...ORDERS, withinMs: 0 }, "all");
    story.world.pass(100);
    expect(story.world.closed).toHaveLength(200);
    expect(story.world.headlines).toEqual(["began close/1", "done close/1"]);
  });

  test("within no time the rate alone decides", () => {
    const story = storyWith(5);
    story.ordered.close([...story.world.tunnels], { ...ORDERS, withinMs: 0, perSecond: 1 }, "all");
    story.world.pass(11_000);
    expect(story.world.closed).toHaveLength(10);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBe(1);
    expect(story.world.headlines).toEqual(["began close/1", "done close/1"]);
  });

  test("at least 90 % of the rate is reached, wherever in a tick the timers run", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 250 }), fc.integer({ min: 1, max: 49 }), (perSecond, phaseMs) => {
        const story = new Story();
        story.list([A]);
        story.edit({});
        story.connect(perSecond * 10, { on: A });
        story.world.pass(phaseMs, phaseMs);
        story.ordered.close([...story.world.tunnels], { ...ORDERS, withinMs: 0, perSecond }, "all");
        story.world.pass(10_050);
        expect(story.world.closed.length).toBeGreaterThanOrEqual(9 * perSecond);
        expect(mostInAWindow(story.world.closeTimes, 1_000)).toBeLessThanOrEqual(perSecond);
      }),
    );
  });

  test("of none it is done at once", () => {
    const story = storyWith(0);
    expect(story.ordered.close([], ORDERS, "none")).toMatchObject({ state: "done", waiting: 0, closing: 0, gone: 0 });
    expect(story.ordered.whenOver("close/1")).toBeUndefined();
    expect(story.world.headlines).toEqual(["began close/1", "done close/1"]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("a tunnel that two orders and its rule name is told once, by the first", () => {
    const story = storyWith(1);
    endAll(story);
    story.edit({ drain: { onBackendRemoval: "Close" } });
    story.connect(1, { on: A, lingerMs: 30_000 });
    story.ordered.close([...story.world.tunnels], { ...ORDERS, closeReason: "first", withinMs: 1_000 }, "all");
    story.ordered.close([...story.world.tunnels], { ...ORDERS, closeReason: "second", withinMs: 2_000 }, "all");
    story.list([B]);
    story.world.pass(20_000);
    expect(story.world.closed.map(({ reason }) => reason)).toEqual(["first"]);
    story.world.pass(30_000);
    expect(story.world.headlines.filter((line) => line.startsWith("done")).sort()).toEqual([
      "done auto/1",
      "done close/1",
      "done close/2",
    ]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("who has been told when it is stopped goes, and the rest lives", () => {
    const story = storyWith(2);
    story.ordered.close([...story.world.tunnels], ORDERS, "all");
    story.world.pass(3_500);
    expect(story.ordered.stop("close/1")).toMatchObject({ state: "stopped", waiting: 2 });
    story.world.pass(60_000);
    expect(story.world.tunnels.size).toBe(2);
    expect(story.ordered.stop("close/1")).toBeUndefined();
    expect(story.world.headlines).toEqual(["began close/1", "stopped close/1"]);
    expect(story.world.wheel.size).toBe(0);
  });
});

describe("a backend that an operator drains", () => {
  test("it takes no new tunnels from the first moment on, and all it has are closed within the time", () => {
    const story = storyWith(4);
    expect(story.ordered.drainBackend(TARGET, ORDERS)).toMatchObject({
      id: BACKEND_DRAIN,
      backend: TARGET,
      waiting: 4,
    });
    expect(story.offered).toEqual(new Set([B]));
    story.world.pass(10_000);
    expect(story.world.closed.map(({ name }) => name)).toEqual(["a0", "a1", "a2", "a3"]);
    expect(story.world.closed.every(({ cause }) => cause === "admin")).toBe(true);
    expect(story.world.closeTimes).toEqual([1_000, 3_000, 5_000, 7_000]);
  });

  test("it stays out when all are gone, also under a new list, until it is stopped", () => {
    const story = storyWith(1);
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(60_000);
    expect(story.world.headlines).toEqual([`began ${BACKEND_DRAIN}`, `done ${BACKEND_DRAIN}`]);
    expect([...story.ordered.facts()]).toMatchObject([{ state: "done", waiting: 0, closing: 0 }]);
    story.list([B]);
    story.list([A, B]);
    expect(story.offered).toEqual(new Set([B]));
    expect(story.ordered.stop(BACKEND_DRAIN)).toMatchObject({ state: "stopped" });
    expect(story.offered).toEqual(new Set([A, B]));
    expect([...story.ordered.facts()]).toEqual([]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("it stays out before it is there", () => {
    const story = storyWith(0);
    story.ordered.drainBackend("10.0.0.9:80", ORDERS);
    story.list([A, B, "10.0.0.9"]);
    expect(story.offered).toEqual(new Set([A, B]));
  });

  test("a tunnel whose handshake was under way joins it", () => {
    const story = storyWith(1);
    const handshake = story.handshake({ on: A });
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(1_000);
    handshake?.open({ name: "joined" });
    expect([...story.ordered.facts()]).toMatchObject([{ waiting: 2 }]);
    story.world.pass(9_000);
    expect(story.world.closed.map(({ name }) => name)).toEqual(["a0", "joined"]);
  });

  test.for([
    { name: "within its time it is spread over what is left", afterMs: 5_000, closedBy: 8_050, last: "done" },
    { name: "behind its time it is closed at once", afterMs: 30_000, closedBy: 30_100, last: "done" },
  ])("one that opens when the drain was done: $name", ({ afterMs, closedBy, last }) => {
    const story = storyWith(0);
    const handshake = story.handshake({ on: A });
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(afterMs);
    handshake?.open();
    expect([...story.ordered.facts()]).toMatchObject([{ waiting: 1 }]);
    story.world.pass(30_000);
    expect(story.world.closeTimes).toHaveLength(1);
    expect(story.world.closeTimes[0]).toBeGreaterThanOrEqual(afterMs);
    expect(story.world.closeTimes[0]).toBeLessThanOrEqual(closedBy);
    expect(story.world.headlines.at(-1)).toBe(`${last} ${BACKEND_DRAIN}`);
    expect(story.world.heard.filter(({ what }) => what === "late")).toEqual([]);
  });

  test("a drain that is done is not late when its time is up", () => {
    const story = storyWith(1);
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(6_000);
    expect(story.world.wheel.size).toBe(0);
    story.world.pass(54_000);
    expect(story.world.heard.map(({ what }) => what)).toEqual(["began", "ended"]);
    expect([...story.ordered.facts()]).toMatchObject([{ state: "done" }]);
  });

  test.for([
    { name: "slower", withinMs: 60_000, lastFromMs: 50_000, lastToMs: 60_050 },
    { name: "faster", withinMs: 1_000, lastFromMs: 2_000, lastToMs: 2_850 },
  ])("new orders make it $name, and the time runs anew", ({ withinMs, lastFromMs, lastToMs }) => {
    const story = storyWith(50);
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(2_000);
    const facts = story.ordered.drainBackend(TARGET, { ...ORDERS, withinMs, closeReason: "new" });
    expect(facts).toMatchObject({ withinMs, startedAtMs: 2_000, endsAtMs: 2_000 + withinMs });
    story.world.pass(withinMs);
    expect(story.world.closed).toHaveLength(50);
    expect(story.world.closeTimes.at(-1)).toBeGreaterThan(lastFromMs);
    expect(story.world.closeTimes.at(-1)).toBeLessThanOrEqual(lastToMs);
    for (const { atMs, reason } of story.world.closed) expect(reason).toBe(atMs <= 2_000 ? "" : "new");
    expect(story.world.headlines).toEqual([`began ${BACKEND_DRAIN}`, `done ${BACKEND_DRAIN}`]);
  });

  test("a new rate holds from then on, and the time is as it was", () => {
    const story = storyWith(50);
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(2_000);
    const closed = story.world.closed.length;
    expect(story.ordered.drainBackend(TARGET, { ...ORDERS, perSecond: 1 })).toMatchObject({ endsAtMs: 10_000 });
    story.world.pass(60_000);
    expect(mostInAWindow(story.world.closeTimes.slice(closed), 1_000)).toBe(1);
    expect(story.world.closed).toHaveLength(50);
  });

  test("the same orders again, behind its time, are a time anew for who opens then", () => {
    const story = storyWith(0);
    const handshake = story.handshake({ on: A });
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(30_000);
    story.ordered.drainBackend(TARGET, ORDERS);
    handshake?.open();
    story.world.pass(30_000);
    expect(story.world.closeTimes).toEqual([34_000]);
  });

  test("when one of two backend drains is stopped the other's backend stays out", () => {
    const story = storyWith(0);
    story.ordered.drainBackend(TARGET, ORDERS);
    story.ordered.drainBackend(`${B}:80`, ORDERS);
    story.ordered.stop(BACKEND_DRAIN);
    expect(story.offered).toEqual(new Set([A]));
  });
});

describe("the process that an operator drains", () => {
  test("all are closed, also those that open yet, and after the grace new ones are refused", () => {
    const story = storyWith(5);
    expect(story.ordered.processDrainedForMs).toBeUndefined();
    story.ordered.drainProcess({ ...ORDERS, graceMs: 3_000 });
    story.world.pass(2_000);
    story.connect(1, { name: "late" });
    expect([story.ordered.isRefusing, story.ordered.processDrainedForMs]).toEqual([false, 2_000]);
    story.world.pass(1_000);
    expect(story.ordered.isRefusing).toBe(true);
    story.world.pass(7_000);
    expect(story.world.closed).toHaveLength(11);
    expect(Math.max(...story.world.closeTimes)).toBeLessThanOrEqual(8_050);
    expect(story.ordered.isRefusing).toBe(true);
    expect([...story.ordered.facts()]).toMatchObject([{ id: PROCESS_DRAIN, state: "done", gone: 11 }]);
  });

  test("many that open in the grace are spread like those that were there", () => {
    const story = storyWith(1);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 5_000, withinMs: 22_000 });
    for (let i = 0; i < 100; i++) {
      story.connect(3);
      story.world.pass(50);
    }
    story.world.pass(17_000);
    expect(story.world.tunnels.size).toBe(0);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBeLessThanOrEqual((1.5 * 300) / 15);
  });

  test("many that open after a few have been told are spread over the rest of the time", () => {
    const story = storyWith(0);
    story.connect(1, { lingerMs: FOREVER });
    story.ordered.drainProcess({ ...ORDERS, graceMs: 15_000 });
    story.world.pass(4_200);
    expect(story.world.closed).toHaveLength(1);
    story.connect(160);
    story.world.pass(5_000);
    expect(story.world.closed).toHaveLength(161);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBeLessThanOrEqual((1.5 * 160) / 3.8);
  });

  test("without grace new ones are refused at once", () => {
    const story = storyWith(1);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 0 });
    expect(story.ordered.isRefusing).toBe(true);
  });

  test.for([
    { name: "a longer grace counts from the first order", graceMs: 8_000, refusesFromMs: 8_000 },
    { name: "a grace that is over by then refuses at once", graceMs: 1_000, refusesFromMs: 2_000 },
  ])("again: $name", ({ graceMs, refusesFromMs }) => {
    const story = storyWith(1);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 5_000 });
    story.world.pass(2_000);
    story.ordered.drainProcess({ ...ORDERS, graceMs });
    expect(story.ordered.processDrainedForMs).toBe(2_000);
    const refusing: number[] = [];
    while (story.world.nowMs < 10_000) {
      if (story.ordered.isRefusing) refusing.push(story.world.nowMs);
      story.world.pass(50);
    }
    expect(refusing[0]).toBe(refusesFromMs);
    expect(refusing).toHaveLength((10_000 - refusesFromMs) / 50);
  });

  test.for([{ atMs: 1_000 }, { atMs: 6_000 }])("stopped after $atMs ms: it accepts again and goes on", ({ atMs }) => {
    const story = storyWith(2);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 5_000 });
    story.world.pass(atMs);
    const { size } = story.world.tunnels;
    story.ordered.stop(PROCESS_DRAIN);
    expect(story.ordered.isRefusing).toBe(false);
    expect(story.ordered.processDrainedForMs).toBeUndefined();
    story.connect(1);
    story.world.pass(60_000);
    expect(story.ordered.isRefusing).toBe(false);
    expect(story.world.tunnels.size).toBe(size + 1);
    expect(story.world.wheel.size).toBe(0);
  });

  test("ordered again after a stop its grace begins anew", () => {
    const story = storyWith(1);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 5_000 });
    story.world.pass(6_000);
    story.ordered.stop(PROCESS_DRAIN);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 5_000 });
    expect([story.ordered.isRefusing, story.ordered.processDrainedForMs]).toEqual([false, 0]);
  });
});

describe("waiting until it is over", () => {
  test("there is nothing to wait for where there is no such order", () => {
    expect(storyWith(1).ordered.whenOver("backend/10.9.9.9:80")).toBeUndefined();
  });

  test("it is over at once where nobody is there", async () => {
    const story = storyWith(0);
    story.ordered.drainBackend(TARGET, ORDERS);
    expect(await stateOf(story.ordered.whenOver(BACKEND_DRAIN))).toBe("done");
  });

  test("it is over when the last is gone, not when the last was told", async () => {
    const story = storyWith(0);
    story.connect(1, { on: A, lingerMs: 2_000 });
    story.ordered.drainBackend(TARGET, ORDERS);
    const over = story.ordered.whenOver(BACKEND_DRAIN);
    story.world.pass(5_900);
    expect(story.world.closed).toHaveLength(1);
    expect(await stateOf(over)).toBeUndefined();
    story.world.pass(100);
    expect(await over).toMatchObject({ state: "done", waiting: 0, closing: 0, gone: 1 });
  });

  test("it is over when the time is up and some are left", async () => {
    const story = storyWith(0);
    story.connect(3, { on: A, lingerMs: FOREVER });
    story.ordered.drainBackend(TARGET, ORDERS);
    const over = story.ordered.whenOver(BACKEND_DRAIN);
    story.world.pass(10_000);
    expect(await over).toMatchObject({ state: "late", waiting: 0, closing: 3, gone: 0 });
  });

  test("it is over when it is stopped", async () => {
    const story = storyWith(3);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 0 });
    const over = story.ordered.whenOver(PROCESS_DRAIN);
    story.ordered.stop(PROCESS_DRAIN);
    expect(await stateOf(over)).toBe("stopped");
  });

  test("picked tunnels are waited for too", async () => {
    const story = storyWith(2);
    story.ordered.close([...story.world.tunnels], ORDERS, "all");
    const over = story.ordered.whenOver("close/1");
    story.world.pass(10_000);
    expect(await stateOf(over)).toBe("done");
  });

  test("new orders meanwhile: whoever waits goes on waiting, for the new time", async () => {
    const story = storyWith(0);
    story.connect(1, { on: A, lingerMs: FOREVER });
    story.ordered.drainBackend(TARGET, ORDERS);
    const over = story.ordered.whenOver(BACKEND_DRAIN);
    story.world.pass(9_000);
    story.ordered.drainBackend(TARGET, { ...ORDERS, withinMs: 20_000 });
    story.world.pass(19_000);
    expect(await stateOf(over)).toBeUndefined();
    story.world.pass(1_000);
    expect(await stateOf(over)).toBe("late");
  });

  test("new orders after the time was up: whoever asks then waits for the new time", async () => {
    const story = storyWith(0);
    const [tunnel] = story.connect(1, { on: A, lingerMs: FOREVER });
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(15_000);
    expect(await stateOf(story.ordered.whenOver(BACKEND_DRAIN))).toBe("late");
    story.ordered.drainBackend(TARGET, ORDERS);
    const over = story.ordered.whenOver(BACKEND_DRAIN);
    story.world.pass(9_000);
    expect(await stateOf(over)).toBeUndefined();
    if (tunnel !== undefined) story.world.end(tunnel);
    expect(await stateOf(over)).toBe("done");
  });

  test("whoever asks when one has joined a drain that was done waits for that one", async () => {
    const story = storyWith(0);
    const handshake = story.handshake({ on: A });
    story.ordered.drainBackend(TARGET, ORDERS);
    expect(await stateOf(story.ordered.whenOver(BACKEND_DRAIN))).toBe("done");
    handshake?.open();
    const over = story.ordered.whenOver(BACKEND_DRAIN);
    expect(await stateOf(over)).toBeUndefined();
    story.world.pass(10_000);
    expect(await over).toMatchObject({ state: "done", gone: 1 });
  });

  test.for([
    { name: "is done", lingerMs: 0, passMs: 9_000, state: "done" },
    { name: "is late", lingerMs: FOREVER, passMs: 15_000, state: "late" },
  ])("whoever waited hears that it $name, and who asks after new orders waits anew", async (row) => {
    const story = storyWith(0);
    story.connect(1, { on: A, lingerMs: row.lingerMs });
    const handshake = story.handshake({ on: A });
    story.ordered.drainBackend(TARGET, ORDERS);
    const over = [story.ordered.whenOver(BACKEND_DRAIN), story.ordered.whenOver(BACKEND_DRAIN)];
    story.world.pass(row.passMs);
    expect(await Promise.all(over.map((each) => stateOf(each)))).toEqual([row.state, row.state]);
    handshake?.open();
    story.ordered.drainBackend(TARGET, { ...ORDERS, withinMs: 20_000 });
    const again = story.ordered.whenOver(BACKEND_DRAIN);
    expect(await stateOf(again)).toBeUndefined();
    story.world.pass(20_000);
    expect(await stateOf(again)).toBe(row.state);
  });

  test("whoever asks when what was late has gone at last hears that it is done", async () => {
    const story = storyWith(0);
    story.connect(1, { on: A, lingerMs: 20_000 });
    story.ordered.drainBackend(TARGET, ORDERS);
    story.world.pass(60_000);
    expect(story.world.headlines).toEqual([`began ${BACKEND_DRAIN}`, `late ${BACKEND_DRAIN}`, `done ${BACKEND_DRAIN}`]);
    expect(await story.ordered.whenOver(BACKEND_DRAIN)).toMatchObject({ state: "done", closing: 0 });
  });
});

describe("bounds", () => {
  test("more than 64 orders at once are refused, but never one that is there already, nor the process", () => {
    const story = storyWith(0);
    story.connect(1, { on: B, lingerMs: FOREVER });
    for (let i = 0; i < 63; i++) expect(story.ordered.close([...story.world.tunnels], ORDERS, `${i}`)).toBeDefined();
    expect(story.ordered.drainBackend(TARGET, ORDERS)).toBeDefined();
    expect(story.ordered.close([...story.world.tunnels], ORDERS, "one more")).toBeUndefined();
    expect(story.ordered.drainBackend(`${B}:80`, ORDERS)).toBeUndefined();
    expect(story.offered).toEqual(new Set([B]));
    expect(story.ordered.drainBackend(TARGET, { ...ORDERS, perSecond: 3 })).toMatchObject({ perSecond: 3 });
    expect(story.ordered.drainProcess({ ...ORDERS, graceMs: 0 })).toBeDefined();
    endAll(story);
    expect(story.ordered.drainBackend(`${B}:80`, ORDERS)).toBeDefined();
  });
});

describe("the end of the process", () => {
  test("all are closed with its cause and in its time, and every other order is called off", async () => {
    const story = storyWith(20);
    story.ordered.drainProcess({ ...ORDERS, graceMs: 1_000 });
    story.ordered.drainBackend(TARGET, ORDERS);
    story.ordered.close([...story.world.tunnels], ORDERS, "all");
    const over = story.ordered.whenOver("close/1");
    story.world.pass(100);
    const before = story.world.closed.length;
    story.ordered.shutDown(5_000);
    expect(await stateOf(over)).toBe("stopped");
    expect([...story.ordered.facts()].map(({ id, reason }) => `${id} ${reason}`)).toEqual(["shutdown shutdown"]);
    story.connect(1);
    story.world.pass(5_000);
    expect(story.world.tunnels.size).toBe(0);
    const after = story.world.closed.slice(before);
    expect(new Set(after.map(({ cause, code }) => `${cause} ${code}`))).toEqual(new Set(["proxy_shutdown undefined"]));
    expect(Math.max(...story.world.closeTimes)).toBeLessThanOrEqual(4_150);
    expect(mostInAWindow(story.world.closeTimes.slice(before), 1_000)).toBeLessThanOrEqual((1.5 * 41) / 4);
  });
});
