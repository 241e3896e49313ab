import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint, RuleId } from "../routing/index.ts";
import { mostInAWindow, RULE } from "./drain.fixture.ts";
import { endpoint, Story } from "./story.fixture.ts";

const [A, B, C] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"] as const;
const OTHER = "apps/chat/other" as RuleId;
const GONE = [endpoint(A, { terminating: true }), C];

/** Tunnels on A by the rule of stories: `onBackendRemoval: Close`, `within: 10s`, unless it says otherwise. */
function tunnelsOnA(count: number, drain: Parameters<Story["edit"]>[0]["drain"] = {}): Story {
  const story = new Story();
  story.list([A, B, C]);
  story.edit({ drain });
  story.connect(count, { on: A });
  return story;
}

function headlines({ world }: Story): string[] {
  return world.heard.map(({ what, drain, atMs }) => `${atMs} ${what === "ended" ? drain.state : what}`);
}

describe("the pace", () => {
  test("all are closed within the time, less the tail in which the last ones find their messages' ends, and evenly", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (count, withinMs, random) => {
          const story = new Story(() => random.next().value);
          story.list([A, C]);
          story.edit({ drain: { withinMs } });
          story.connect(count, { on: A });
          story.list(GONE);
          story.world.pass(withinMs + 100);
          const { closeTimes, tunnels } = story.world;
          expect(tunnels.size).toBe(0);
          const windowMs = withinMs - Math.min(2_000, withinMs / 5);
          expect(Math.max(...closeTimes)).toBeLessThanOrEqual(windowMs + 50);
          const share = (count * 1_000) / windowMs;
          if (share >= 4) expect(mostInAWindow(closeTimes, 1_000)).toBeLessThanOrEqual(1.5 * share);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("those that have been silent longest go first", () => {
    const story = tunnelsOnA(0);
    for (const lastActiveAtMs of [-1, -300, -20]) {
      story.connect(1, { on: A, lastActiveAtMs, name: `silent since ${lastActiveAtMs}, ` });
    }
    story.list(GONE);
    story.world.pass(10_000);
    expect(story.world.closed.map(({ name }) => name)).toEqual([
      "silent since -300, 0",
      "silent since -20, 0",
      "silent since -1, 0",
    ]);
  });

  test("a rate that is enough is no reason to be late", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 3_000, max: 30_000 }), (perSecond, withinMs) => {
        const windowMs = withinMs - Math.min(2_000, withinMs / 5);
        const story = tunnelsOnA(Math.max(1, Math.floor((0.9 * perSecond * windowMs) / 1_000)), {
          perSecond,
          withinMs,
        });
        story.list(GONE);
        story.world.pass(windowMs + 50 + 1_050 / perSecond);
        expect(story.world.tunnels.size).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  test("a rate that is too small: what is left is told once at the deadline, and closing goes on at the rate", () => {
    const story = tunnelsOnA(100, { perSecond: 4 });
    story.list(GONE);
    story.world.pass(10_050);
    expect(headlines(story)).toEqual(["0 began", "10000 late"]);
    const late = story.world.heard.at(-1)?.drain;
    expect(late).toMatchObject({ state: "late", closing: 0, waiting: 100 - (late?.gone ?? 0) });
    expect(late?.gone).toBeGreaterThan(36);
    expect([...story.byRule.facts()]).toMatchObject([{ state: "late", id: late?.id }]);
    story.world.pass(20_000);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBe(4);
    expect(story.world.headlines).toEqual(["began auto/1", "late auto/1", "done auto/1"]);
    expect([...story.byRule.facts()]).toEqual([]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("a tunnel that does not go is late and has been told once", () => {
    const story = tunnelsOnA(0);
    story.connect(3, { on: A, lingerMs: Number.POSITIVE_INFINITY });
    story.list(GONE);
    story.world.pass(60_000);
    expect(headlines(story)).toEqual(["0 began", "10000 late"]);
    expect(story.world.heard.at(-1)?.drain).toMatchObject({ waiting: 0, closing: 3 });
    expect(story.world.closed).toHaveLength(3);
    for (const tunnel of story.world.tunnels) story.world.end(tunnel);
    expect(story.world.headlines.at(-1)).toBe("done auto/1");
    expect(story.world.wheel.size).toBe(0);
  });

  test("a late drain stops when its backend is back", () => {
    const story = tunnelsOnA(100, { perSecond: 4 });
    story.list(GONE);
    story.world.pass(12_000);
    const left = story.world.tunnels.size;
    story.list([A, C]);
    story.world.pass(60_000);
    expect(story.world.tunnels.size).toBe(left);
    expect(story.world.headlines).toEqual(["began auto/1", "late auto/1", "stopped auto/1"]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("all backends of a rule share its rate", () => {
    const story = tunnelsOnA(50, { perSecond: 5 });
    story.connect(50, { on: B });
    story.list([endpoint(A, { terminating: true }), endpoint(B, { terminating: true }), C]);
    story.world.pass(60_000);
    expect(story.world.closed).toHaveLength(100);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBe(5);
    expect(story.world.nowMs - (story.world.closeTimes.at(-1) ?? 0)).toBeGreaterThan(37_000);
  });

  test.for([
    { name: "that leaves when the first is done", firstBackMs: Number.POSITIVE_INFINITY },
    { name: "that leaves when the first is back", firstBackMs: 300 },
  ])("the rate holds over a second backend $name", ({ firstBackMs }) => {
    const story = tunnelsOnA(1, { perSecond: 1, withinMs: 200 });
    story.connect(1, { on: B });
    story.list([endpoint(A, { terminating: true }), B, C]);
    story.world.pass(200);
    expect(story.world.closed).toHaveLength(1);
    if (firstBackMs < 1_000) story.list([A, B, C]);
    story.list([endpoint(A, { terminating: true }), endpoint(B, { terminating: true }), C]);
    story.world.pass(3_000);
    expect(story.world.closed).toHaveLength(2);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBe(1);
    expect(story.world.wheel.size).toBe(0);
  });

  test("the rate holds over any number of short drains that follow each other", () => {
    const rounds = fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 3 }),
        ms: fc.integer({ min: 1, max: 900 }),
        stepMs: fc.integer({ min: 5, max: 90 }),
      }),
      { minLength: 2, maxLength: 20 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), rounds, (perSecond, script) => {
        const story = tunnelsOnA(0, { perSecond, withinMs: 100 });
        for (const { count, ms, stepMs } of script) {
          story.list([A, C]);
          story.connect(count, { on: A });
          story.list(GONE);
          story.world.pass(ms, stepMs);
        }
        story.world.pass(60_000);
        expect(story.world.tunnels.size).toBe(0);
        expect(mostInAWindow(story.world.closeTimes, 1_000)).toBeLessThanOrEqual(perSecond);
        expect(story.world.wheel.size).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test("a rate that was edited while the rule had no tunnels holds for its next drain, however soon", () => {
    const story = tunnelsOnA(1, { perSecond: 1, withinMs: 200 });
    story.list(GONE);
    story.world.pass(200);
    expect(story.world.tunnels.size).toBe(0);
    story.edit({ drain: { perSecond: 100 } });
    story.list([A, B, C]);
    story.connect(50, { on: B });
    story.list([B, C].map((address) => endpoint(address, { terminating: address === B })));
    story.world.pass(2_500);
    expect(story.world.closed).toHaveLength(51);
  });

  test("of two drains under one rate the one whose time ends first goes first", () => {
    const story = tunnelsOnA(20, { perSecond: 4 });
    story.connect(20, { on: B, name: "later " });
    story.list([endpoint(A, { terminating: true }), B, C]);
    story.world.pass(100);
    story.list([endpoint(A, { terminating: true }), endpoint(B, { terminating: true }), C]);
    story.world.pass(9_900);
    const late = story.world.closed.filter(({ name }) => name.startsWith("later"));
    expect(story.world.closed.length - late.length).toBe(20);
    expect(late.length).toBeGreaterThan(10);
  });

  test("two rules on one backend each go by their own policy", () => {
    const story = tunnelsOnA(4, { onBackendRemoval: "Keep" });
    story.edit({ drain: { withinMs: 2_000, closeCode: 4_001, closeReason: "moved" } }, OTHER);
    story.connect(4, { on: A, ruleId: OTHER });
    story.list(GONE);
    story.world.pass(60_000);
    expect(story.world.closeTimes).toEqual([200, 600, 1_000, 1_400]);
    expect(new Set(story.world.closed.map(({ code, reason }) => `${code} ${reason}`))).toEqual(new Set(["4001 moved"]));
    expect([...story.world.tunnels].every(({ context }) => context.ruleId === RULE)).toBe(true);
  });

  test("the client is told the rule's code and reason, and the end is counted as drained", () => {
    const story = tunnelsOnA(1, { closeCode: 4_321, closeReason: "come back" });
    story.list(GONE);
    story.world.pass(10_000);
    expect(story.world.closed).toMatchObject([{ cause: "drained", code: 4_321, reason: "come back" }]);
  });
});

describe("tunnels that come and go", () => {
  test("a tunnel whose handshake was under way joins the drain and is closed with the others", () => {
    const story = tunnelsOnA(4);
    const handshake = story.handshake({ on: A });
    story.list(GONE);
    story.world.pass(2_000);
    handshake?.open({ name: "last" });
    story.world.pass(8_000);
    expect(story.world.tunnels.size).toBe(0);
    expect(story.world.closed.map(({ name }) => name)).toContain("last");
    expect(headlines(story).filter((line) => line.endsWith("began"))).toEqual(["0 began"]);
  });

  test("one that opens on a leaving backend whose drain is done is drained in a time of its own", () => {
    const story = tunnelsOnA(0);
    const handshake = story.handshake({ on: A });
    story.list(GONE);
    story.world.pass(30_000);
    expect(story.world.heard).toEqual([]);
    handshake?.open();
    story.world.pass(10_000);
    expect(headlines(story)).toEqual(["30000 began", "34000 done"]);
  });

  test("one that opens on a vanished backend lives until the 5 s are over", () => {
    const story = tunnelsOnA(0);
    const handshake = story.handshake({ on: A });
    story.list([C]);
    story.world.pass(3_000);
    handshake?.open();
    story.world.pass(60_000);
    expect(headlines(story)).toEqual(["5000 began", "9000 done"]);
  });

  test("many that join a drain of few are spread over what is left of its time", () => {
    const story = tunnelsOnA(0);
    story.connect(1, { on: A, lingerMs: 5_000 });
    const handshakes = Array.from({ length: 160 }, () => story.handshake({ on: A }));
    story.list(GONE);
    story.world.pass(4_200);
    expect(story.world.closed).toHaveLength(1);
    for (const handshake of handshakes) handshake?.open();
    story.world.pass(5_800);
    expect(story.world.closed).toHaveLength(161);
    expect(mostInAWindow(story.world.closeTimes, 1_000)).toBeLessThanOrEqual((1.5 * 160) / 3.8);
  });

  test("one that ends by itself is gone without a Close, and the others are spread over the time that is left", () => {
    const story = tunnelsOnA(8);
    const [first] = story.world.tunnels;
    story.list(GONE);
    if (first !== undefined) story.world.end(first);
    expect([...story.byRule.facts()]).toMatchObject([{ waiting: 7, closing: 0, gone: 1 }]);
    story.world.pass(10_000);
    expect(story.world.closed).toHaveLength(7);
    expect(story.world.heard.at(-1)?.drain).toMatchObject({ state: "done", waiting: 0, closing: 0, gone: 8 });
  });

  test("one that is ending already is not told, and is waited for", () => {
    const story = tunnelsOnA(2);
    const [first] = story.world.tunnels;
    if (first !== undefined) first.isEnding = true;
    story.list(GONE);
    story.world.pass(10_000);
    expect(story.world.closed).toHaveLength(1);
    expect([...story.byRule.facts()]).toMatchObject([{ state: "late", waiting: 0, closing: 1, gone: 1 }]);
    if (first !== undefined) story.world.end(first);
    expect([...story.byRule.facts()]).toEqual([]);
  });

  test("one that begins to end by itself while it waits is not told", () => {
    const story = tunnelsOnA(2);
    const [first] = story.world.tunnels;
    story.list(GONE);
    story.world.pass(500);
    if (first !== undefined) first.isEnding = true;
    story.world.pass(9_000);
    expect(story.world.closed).toHaveLength(1);
    expect(story.world.closed[0]?.name).not.toBe(first?.name);
  });
});

describe("edits while it runs", () => {
  test.for([
    { name: "shorter", before: 60_000, after: 10_000 },
    { name: "longer", before: 10_000, after: 60_000 },
  ])("a $name time runs anew for what is left, and is used", ({ before, after }) => {
    const story = tunnelsOnA(100, { withinMs: before });
    story.list(GONE);
    story.world.pass(5_000);
    const closed = story.world.closed.length;
    story.edit({ drain: { withinMs: after } });
    expect([...story.byRule.facts()]).toMatchObject([{ startedAtMs: 5_000, endsAtMs: 5_000 + after }]);
    story.world.pass(after);
    const times = story.world.closeTimes.slice(closed);
    expect(times).toHaveLength(100 - closed);
    expect(Math.max(...times)).toBeLessThanOrEqual(5_000 + after - 2_000 + 50);
    expect(Math.max(...times)).toBeGreaterThan(5_000 + 0.9 * (after - 2_000));
    expect(headlines(story).map((line) => line.split(" ")[1])).toEqual(["began", "done"]);
  });

  test("an edit of something else leaves the time as it is", () => {
    const story = tunnelsOnA(4);
    story.list(GONE);
    story.world.pass(2_000);
    story.edit({ drain: { closeCode: 4_000 } });
    story.world.pass(10_000);
    expect(story.world.closeTimes).toEqual([1_000, 3_000, 5_000, 7_000]);
    expect(story.world.closed.map(({ code }) => code)).toEqual([1012, 4_000, 4_000, 4_000]);
  });

  test.for([
    { name: "faster", before: 2, after: 50, most: 50, lastMs: 10_050 },
    { name: "slower", before: 50, after: 2, most: 13, lastMs: 60_000 },
    { name: "no longer limited", before: 2, after: 0, most: 25, lastMs: 10_050 },
  ])("a rate that is $name holds from then on", ({ before, after, most, lastMs }) => {
    const story = tunnelsOnA(80, { perSecond: before });
    story.list(GONE);
    story.world.pass(4_000);
    const closed = story.world.closed.length;
    story.edit({ drain: { perSecond: after } });
    story.world.pass(56_000);
    const times = story.world.closeTimes.slice(closed);
    expect(times).toHaveLength(80 - closed);
    expect(mostInAWindow(times, 1_000)).toBeLessThanOrEqual(most);
    if (after === 2) expect(mostInAWindow(times, 1_000)).toBe(2);
    expect(Math.max(...times)).toBeLessThanOrEqual(lastMs);
  });

  test("Close that becomes Keep stops it", () => {
    const story = tunnelsOnA(4);
    story.list(GONE);
    story.world.pass(2_000);
    story.edit({ drain: { onBackendRemoval: "Keep" } });
    story.world.pass(60_000);
    expect(headlines(story)).toEqual(["0 began", "2000 stopped"]);
    expect(story.world.closed).toHaveLength(1);
  });

  test.for([
    { name: "a backend that terminates is drained from then on", list: GONE, atMs: 2_000, began: "2000 began" },
    { name: "a vanished one when its 5 s are over", list: [C], atMs: 2_000, began: "5000 began" },
    { name: "one that vanished long ago at once", list: [C], atMs: 20_000, began: "20000 began" },
  ])("Keep becomes Close: $name", ({ list, atMs, began }) => {
    const story = tunnelsOnA(4, { onBackendRemoval: "Keep" });
    story.list(list);
    story.world.pass(atMs);
    expect(story.world.heard).toEqual([]);
    story.edit({ drain: { onBackendRemoval: "Close" } });
    story.world.pass(30_000);
    expect(headlines(story)[0]).toBe(began);
    expect(story.world.tunnels.size).toBe(0);
  });

  test("what is late has its time anew by any edit, and may be late again", () => {
    const story = tunnelsOnA(0);
    story.connect(1, { on: A, lingerMs: Number.POSITIVE_INFINITY });
    story.list(GONE);
    story.world.pass(15_000);
    story.edit({ drain: { perSecond: 7 } });
    story.world.pass(15_000);
    expect(headlines(story)).toEqual(["0 began", "10000 late", "25000 late"]);
    expect(story.world.closed).toHaveLength(1);
  });

  test("a rule that is deleted drains by what it said last", () => {
    const story = tunnelsOnA(4);
    story.remove();
    story.list(GONE);
    story.world.pass(10_000);
    expect(headlines(story)).toEqual(["0 began", "7000 done"]);
  });
});

describe("what is left behind", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;

  test.for([
    { name: "backends without tunnels that vanish", list: [C] },
    { name: "backends without tunnels that terminate", list: GONE },
    { name: "upstreams without tunnels that nobody names", list: null },
  ])("nothing waits for $name", ({ list }) => {
    const story = new Story();
    story.list([A, B, C]);
    story.edit({});
    story.list(list);
    story.list(list === null ? null : [C]);
    expect(story.world.wheel.size).toBe(0);
    expect([...story.registry.backends()]).toHaveLength(list === null ? 0 : 1);
  });

  test("nothing waits for a vanished backend that is back", () => {
    const story = tunnelsOnA(1);
    story.list([C]);
    expect(story.world.wheel.size).toBe(1);
    story.list([A, C]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("backends that were drained, stopped, or left without a tunnel are forgotten altogether", async () => {
    const story = new Story();
    story.edit({ drain: { onUnready: "Close", withinMs: 1_000 } });
    const refs = Array.from({ length: 30 }, (_, pod) => {
      const at = (change: Partial<Endpoint> = {}): Endpoint => endpoint(A, { podUid: `pod-${pod}`, ...change });
      story.list([at(), C]);
      story.connect(pod % 3, { on: A });
      const backends = [...story.registry.backends()].filter(({ backend }) => backend.podUid !== undefined);
      story.list([at(pod % 2 === 0 ? { terminating: true } : { ready: false }), C]);
      story.world.pass(pod % 5 === 0 ? 100 : 12_000);
      if (pod % 4 === 0) story.list([at(), C]);
      for (const tunnel of story.world.tunnels) story.world.end(tunnel);
      return backends.map(({ backend }) => new WeakRef(backend));
    }).flat();
    story.list([C]);
    story.world.pass(1_000);
    // A choice may keep the list that it saw last until it is asked again.
    expect(story.offered).toEqual(new Set([C]));
    await turn();
    collectGarbage();
    expect(refs.length).toBeGreaterThan(29);
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(story.world.wheel.size).toBe(0);
  });

  test("nothing waits for a backend whose last handshake failed after it had vanished", () => {
    const story = tunnelsOnA(0);
    const handshake = story.handshake({ on: A });
    story.list([C]);
    expect(story.world.wheel.size).toBe(1);
    handshake?.fail();
    expect(story.world.wheel.size).toBe(0);
  });

  test("nothing waits after a thousand Pods came and went, some with tunnels that live on elsewhere", () => {
    const story = new Story();
    story.edit({ drain: { withinMs: 1_000, perSecond: 50 } });
    for (let pod = 0; pod < 1_000; pod++) {
      story.list([endpoint(A, { podUid: `pod-${pod}` }), endpoint(A, { podUid: `pod-${pod - 1}`, terminating: true })]);
      story.connect(pod % 3);
      story.world.pass(250);
    }
    story.list([C]);
    story.world.pass(10_000);
    expect(story.world.closed).toHaveLength(999);
    expect([...story.byRule.facts()]).toEqual([]);
    expect([...story.registry.backends()]).toHaveLength(1);
    expect(story.world.wheel.size).toBe(0);
  });
});
