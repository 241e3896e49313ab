import { describe, expect, test } from "vitest";
import { count, limited, Stage } from "./admission.fixture.ts";

describe("maxTunnels", () => {
  test("as many are taken on as may, and the others refused at once where there is no queue", () => {
    const stage = new Stage();
    stage.setBackends(2);
    const visitors = stage.arriveMany(5, limited({ maxTunnels: 3 }));
    expect(visitors.map(({ state }) => state)).toEqual(["admitted", "admitted", "admitted", "refused", "refused"]);
    expect(visitors[4]?.refusal).toMatchObject({ why: "tunnels", detail: "the rule has 3 tunnels, as many as it may" });
    expect(visitors[4]?.refusal?.retryAfterS).toBeGreaterThanOrEqual(5);
  });

  test("who waits goes on in the order of coming, as places come free", () => {
    const stage = new Stage();
    stage.setBackends(2);
    const visitors = stage.arriveMany(6, limited({ maxTunnels: 2, queueSize: 3, queueMs: 2_000 }));
    expect(visitors.map(({ state }) => state)).toEqual([
      "admitted",
      "admitted",
      "waiting",
      "waiting",
      "waiting",
      "refused",
    ]);
    expect([...stage.admissions.waiting()]).toEqual([{ route: "apps/chat", rule: "app", why: "queue", count: 3 }]);
    visitors[1]?.leave();
    expect(visitors[2]?.state).toBe("waiting");
    stage.settle();
    expect(visitors.map(({ state }) => state).slice(2)).toEqual(["admitted", "waiting", "waiting", "refused"]);
    visitors[0]?.leave();
    visitors[2]?.leave();
    stage.settle();
    expect(count(visitors, "waiting")).toBe(0);
    expect([...stage.admissions.waiting()]).toEqual([]);
  });

  test("whoever gives up waiting leaves its place at once, and nobody is let in for it", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const rule = limited({ maxTunnels: 1, queueSize: 2, queueMs: 2_000 });
    const [, second, third] = stage.arriveMany(3, rule);
    second?.leave();
    const fourth = stage.arrive(rule);
    stage.pass(500);
    expect([third?.state, fourth.state]).toEqual(["waiting", "waiting"]);
    expect(stage.arrive(rule).state).toBe("refused");
  });
});

test("where each backend carries as many as it may, who comes waits until one has room", () => {
  const stage = new Stage();
  stage.setBackends(2);
  const rule = limited({ maxTunnelsPerBackend: 1, queueSize: 2, queueMs: 5_000 });
  const visitors = stage.arriveMany(3, rule);
  expect(visitors.map(({ state }) => state)).toEqual(["admitted", "admitted", "waiting"]);
  // A backend more.
  stage.setBackends(3);
  stage.settle();
  expect(visitors[2]?.state).toBe("admitted");
  const last = stage.arrive(rule);
  visitors[0]?.leave();
  stage.settle();
  expect(last.state).toBe("admitted");
  const refused = stage.arriveMany(3, rule)[2];
  expect(refused?.refusal).toMatchObject({
    why: "backends",
    detail: "each backend that may be used carries 1 tunnels or more; 2 wait already",
  });
});

test("a backend that comes back by itself is found by whoever waits within a second quarter", () => {
  const stage = new Stage();
  stage.setBackends(2);
  const health = {
    panicPercent: 0,
    active: undefined,
    passive: {
      signs: ["BadAnswer" as const],
      failures: 1,
      ejectMs: 1_000,
      longestEjectMs: 1_000,
      maxEjectedPercent: 50,
    },
  };
  const rule = limited({ maxTunnelsPerBackend: 1, queueSize: 1, queueMs: 5_000 }, { health });
  const [first] = stage.arriveMany(1, rule);
  const bad = stage.registry.acquire(rule, {
    use: "tunnel",
    tried: new Set(),
    hashKey: undefined,
    affinity: [],
  });
  bad?.release("badAnswer");
  const waiter = stage.arrive(rule);
  expect([first?.state, waiter.state]).toEqual(["admitted", "waiting"]);
  stage.pass(1_300);
  expect(waiter).toMatchObject({ state: "admitted" });
  expect(waiter.atMs).toBeGreaterThanOrEqual(1_000);
});

describe("handshakesPerSecond", () => {
  test("in any time no more go on than the rate and one second's worth", () => {
    const stage = new Stage();
    stage.setBackends(3);
    const rule = limited({ handshakesPerSecond: 50, queueSize: 1_000, queueMs: 60_000 }, { handshakeMs: 0 });
    const visitors = stage.arriveMany(400, rule);
    expect(count(visitors, "admitted")).toBe(50);
    for (let second = 1; second <= 7; second++) {
      stage.pass(1_000);
      const admitted = count(visitors, "admitted");
      expect(admitted).toBeLessThanOrEqual(50 + second * 50);
      // A tick late, and another one for the wheel.
      expect(admitted).toBeGreaterThanOrEqual(50 + second * 50 - 2);
    }
    stage.pass(100);
    expect(visitors.map(({ atMs }) => atMs)).toEqual(visitors.map(({ atMs }) => atMs).toSorted((a, b) => a! - b!));
    expect(count(visitors, "admitted")).toBe(400);
  });

  test("at a high rate a hundred go on at once, and the others at the rate", () => {
    const stage = new Stage();
    stage.setBackends(3);
    const rule = limited({ handshakesPerSecond: 2_000, queueSize: 4_000, queueMs: 60_000 }, { handshakeMs: 0 });
    const visitors = stage.arriveMany(3_000, rule);
    expect(count(visitors, "admitted")).toBe(100);
    stage.pass(1_000);
    expect(count(visitors, "admitted")).toBeGreaterThan(1_900);
    expect(count(visitors, "admitted")).toBeLessThanOrEqual(2_100);
  });

  test("those that come while others are let go are refused for what kept them back", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const rule = limited({ handshakesPerSecond: 100, queueSize: 50, queueMs: 60_000 }, { handshakeMs: 0 });
    stage.arriveMany(150, rule);
    const late = Array.from({ length: 20 }, () => {
      stage.pass(200);
      return stage.arriveMany(40, rule);
    }).flat();
    const refusals = new Set(late.flatMap(({ refusal }) => refusal?.why ?? []));
    expect(refusals).toEqual(new Set(["rate"]));
  });

  test("who is refused is given a moment: however many they are, they come back no faster than the rate", () => {
    const stage = new Stage();
    stage.setBackends(3);
    const rule = limited({ handshakesPerSecond: 100, queueSize: 100, queueMs: 2_000 });
    const visitors = stage.arriveMany(1_000, rule);
    expect([count(visitors, "admitted"), count(visitors, "waiting")]).toEqual([100, 100]);
    const refused = visitors.filter(({ state }) => state === "refused");
    expect(refused[0]?.refusal).toMatchObject({ why: "rate" });
    expect(refused[0]?.refusal?.detail).toBe("100 handshakes begin in each second; 100 wait already");
    for (let second = 1; second <= 10; second++) {
      const back = refused.filter(({ refusal }) => refusal?.retryAfterS === second).length;
      expect(back).toBeLessThanOrEqual(140);
    }
    expect(Math.max(...refused.map(({ refusal }) => refusal?.retryAfterS ?? 0))).toBe(10);
  });

  test("whoever has waited as long as it may is refused, and has its moment too", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const rule = limited({ handshakesPerSecond: 10, queueSize: 100, queueMs: 2_000 });
    const visitors = stage.arriveMany(100, rule);
    stage.pass(2_500);
    expect(count(visitors, "admitted")).toBeGreaterThanOrEqual(29);
    expect(count(visitors, "admitted")).toBeLessThanOrEqual(31);
    const refused = visitors.filter(({ state }) => state === "refused");
    expect(refused.length + count(visitors, "admitted")).toBe(100);
    for (const { atMs, refusal } of refused) {
      expect(atMs).toBeGreaterThanOrEqual(2_000);
      expect(atMs).toBeLessThanOrEqual(2_030);
      expect(refusal?.detail).toMatch(/^10 handshakes begin in each second; it has waited for 2\.0 s$/);
    }
  });

  test("no wait is longer than the handshake may take", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const rule = limited({ handshakesPerSecond: 1, queueSize: 9, queueMs: 60_000 }, { handshakeMs: 500 });
    const [, waiter] = stage.arriveMany(2, rule);
    stage.pass(600);
    expect(waiter).toMatchObject({ state: "refused", refusal: { why: "rate" } });
  });

  test("an edit of the rate counts from then on, and is no reason for a burst", () => {
    const stage = new Stage();
    stage.setBackends(3);
    const waiting = { queueSize: 1_000, queueMs: 60_000 };
    const visitors = stage.arriveMany(300, limited({ handshakesPerSecond: 1, ...waiting }, { handshakeMs: 0 }));
    stage.pass(1_000);
    stage.edit(limited({ handshakesPerSecond: 100, ...waiting }, { handshakeMs: 0 }));
    stage.settle();
    expect(count(visitors, "admitted")).toBeLessThanOrEqual(3);
    stage.pass(1_000);
    expect(count(visitors, "admitted")).toBeGreaterThan(95);
    expect(count(visitors, "admitted")).toBeLessThanOrEqual(103);
    stage.edit(limited({}));
    stage.pass(100);
    expect(count(visitors, "admitted")).toBe(300);
  });
});

describe("holdUntilReady", () => {
  const HOLD = { holdSize: 3, holdMs: 30_000 };

  test("with no backend ready they wait, and go on when there is one, in the order of coming", () => {
    const stage = new Stage();
    const visitors = stage.arriveMany(4, limited(HOLD));
    expect(visitors.map(({ state }) => state)).toEqual(["waiting", "waiting", "waiting", "refused"]);
    expect(visitors[3]?.refusal).toMatchObject({ why: "none", detail: "3 are held already" });
    expect([...stage.admissions.waiting()]).toMatchObject([{ why: "hold", count: 3 }]);
    stage.pass(12_000);
    stage.setBackends(1);
    stage.settle();
    expect(visitors.slice(0, 3).map(({ state, heldMs }) => [state, heldMs])).toEqual([
      ["admitted", 12_000],
      ["admitted", 12_000],
      ["admitted", 12_000],
    ]);
  });

  test("when the time of the hold is up they are refused, each to come back in some seconds", () => {
    const stage = new Stage();
    const rule = limited({ holdSize: 1_000, holdMs: 5_000 });
    const visitors = stage.arriveMany(500, rule);
    stage.pass(4_900);
    expect(count(visitors, "waiting")).toBe(500);
    stage.pass(200);
    expect(count(visitors, "refused")).toBe(500);
    expect(visitors[0]?.refusal).toMatchObject({ why: "none", detail: "it was held for 5.0 s" });
    expect(new Set(visitors.map(({ refusal }) => refusal?.retryAfterS))).toEqual(new Set([1, 2, 3, 4, 5]));
  });

  test("those who were held keep to the rate, and their places although the queue is shorter", () => {
    const stage = new Stage();
    const rule = limited({ holdSize: 500, holdMs: 30_000, handshakesPerSecond: 100, queueSize: 10, queueMs: 10_000 });
    const visitors = stage.arriveMany(500, rule);
    stage.pass(20_000);
    stage.setBackends(2);
    stage.settle();
    expect(count(visitors, "admitted")).toBe(100);
    expect([...stage.admissions.waiting()]).toMatchObject([{ why: "queue", count: 400 }]);
    expect(stage.arrive(rule)).toMatchObject({ state: "refused", refusal: { why: "rate" } });
    stage.pass(4_100);
    expect(count(visitors, "admitted")).toBe(500);
  });

  test("without a queue those who were held wait on for as long as a handshake may take", () => {
    const stage = new Stage();
    const rule = limited({ holdSize: 500, holdMs: 30_000, handshakesPerSecond: 10 }, { handshakeMs: 3_000 });
    const visitors = stage.arriveMany(100, rule);
    stage.pass(20_000);
    stage.setBackends(2);
    stage.pass(3_200);
    expect(count(visitors, "admitted")).toBeGreaterThanOrEqual(39);
    expect(count(visitors, "refused")).toBe(100 - count(visitors, "admitted"));
    expect(visitors.at(-1)).toMatchObject({ refusal: { why: "rate" } });
  });

  test("backends that go and come again while they wait: the time of the hold is what there was none for", () => {
    const stage = new Stage();
    const rule = limited(
      { holdSize: 9, holdMs: 5_000, maxTunnels: 1, queueSize: 9, queueMs: 60_000 },
      { handshakeMs: 0 },
    );
    stage.setBackends(1);
    const [first, second] = stage.arriveMany(2, rule);
    stage.pass(4_000);
    stage.setBackends(0);
    stage.pass(3_000);
    expect([...stage.admissions.waiting()]).toMatchObject([{ why: "hold", count: 1 }]);
    stage.setBackends(1);
    stage.pass(4_000);
    first?.leave();
    stage.settle();
    expect(second).toMatchObject({ state: "admitted" });
    expect(second?.heldMs).toBeGreaterThanOrEqual(2_700);
    expect(second?.heldMs).toBeLessThanOrEqual(3_000);
  });

  test("a rule that does not hold refuses those in its queue when its last backend goes", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const [, second] = stage.arriveMany(2, limited({ maxTunnels: 1, queueSize: 9, queueMs: 60_000 }));
    stage.setBackends(0);
    stage.pass(300);
    expect(second).toMatchObject({ state: "refused", refusal: { why: "none" } });
  });

  test("a hold that is taken away keeps those who are in it, and takes nobody in", () => {
    const stage = new Stage();
    const [early] = stage.arriveMany(1, limited(HOLD));
    stage.edit(limited({ maxTunnels: 5 }));
    stage.pass(1_000);
    expect(early?.state).toBe("waiting");
    expect(stage.arrive(limited({ maxTunnels: 5 }))).toMatchObject({ state: "refused", refusal: { why: "none" } });
    stage.setBackends(1);
    stage.settle();
    expect(early?.state).toBe("admitted");
  });

  test("whoever waits goes where the rule leads now", () => {
    const stage = new Stage();
    const [visitor] = stage.arriveMany(1, limited(HOLD));
    const other = "apps/other:80" as (typeof rule.backends)[number]["upstream"];
    const rule = { ...limited(HOLD), backends: [{ upstream: "apps/other:80" as never, weight: 1 }] };
    stage.setBackends(1, other);
    stage.edit(rule);
    stage.settle();
    expect(visitor?.state).toBe("admitted");
  });
});

describe("limits that change while someone waits", () => {
  test("a higher one lets in at once", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const waiting = { queueSize: 9, queueMs: 60_000 };
    const visitors = stage.arriveMany(5, limited({ maxTunnels: 1, ...waiting }));
    stage.edit(limited({ maxTunnels: 4, ...waiting }));
    stage.settle();
    expect(count(visitors, "admitted")).toBe(4);
  });

  test("a lower one ends nothing", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const visitors = stage.arriveMany(5, limited({ maxTunnels: 5 }));
    stage.edit(limited({ maxTunnels: 2 }));
    stage.pass(300);
    expect(count(visitors, "admitted")).toBe(5);
    visitors[0]?.leave();
    expect(stage.arrive(limited({ maxTunnels: 2 })).state).toBe("refused");
  });

  test("tunnels that opened before there was a limit count", () => {
    const stage = new Stage();
    stage.setBackends(1);
    stage.arriveMany(3, limited({}));
    stage.edit(limited({ maxTunnels: 3 }));
    expect(stage.arrive(limited({ maxTunnels: 3 })).state).toBe("refused");
  });

  test("a queue that is taken away refuses nobody before its time", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const visitors = stage.arriveMany(3, limited({ maxTunnels: 1, queueSize: 9, queueMs: 2_000 }));
    stage.edit(limited({ maxTunnels: 1 }));
    stage.pass(1_900);
    expect(count(visitors, "waiting")).toBe(2);
    expect(stage.arrive(limited({ maxTunnels: 1 })).state).toBe("refused");
    stage.pass(200);
    expect(count(visitors, "refused")).toBe(2);
  });

  test("a rule that is gone keeps who waits; then nothing of it is left", () => {
    const stage = new Stage();
    stage.setBackends(1);
    const rule = limited({ maxTunnels: 1, queueSize: 9, queueMs: 60_000 });
    const [first, second] = stage.arriveMany(2, rule);
    stage.admissions.forgetRules([rule.id]);
    stage.pass(500);
    expect([second?.state, stage.admissions.size]).toEqual(["waiting", 1]);
    first?.leave();
    stage.settle();
    expect([second?.state, stage.admissions.size]).toEqual(["admitted", 0]);
    second?.leave();
    stage.settle();
    expect(stage.wheel.size).toBe(0);
  });

  test("a rule without limits any more leaves nothing behind, nor does one that nobody asks", () => {
    const stage = new Stage();
    stage.setBackends(1);
    stage.arrive(limited({ maxTunnels: 2 }));
    expect(stage.admissions.size).toBe(1);
    stage.edit(limited({}));
    expect(stage.admissions.size).toBe(0);
    stage.edit(limited({ maxTunnels: 1, queueSize: 2, queueMs: 9_000 }));
    const waiter = stage.arrive(limited({ maxTunnels: 1, queueSize: 2, queueMs: 9_000 }));
    expect(waiter.state).toBe("waiting");
    stage.edit(limited({}));
    stage.settle();
    expect([waiter.state, stage.admissions.size]).toEqual(["admitted", 0]);
  });
});

describe("a process that leaves", () => {
  test.for([
    { name: "at once when it stops", afterMs: 0, begin: (stage: Stage) => stage.admissions.stop() },
    { name: "soon when it is drained", afterMs: 300, begin: (stage: Stage) => void (stage.drain.isRefusing = true) },
  ])("refuses all who wait, and whoever would have to: $name", ({ begin, afterMs }) => {
    const stage = new Stage();
    const held = stage.arriveMany(200, limited({ holdSize: 1_000, holdMs: 60_000 }));
    begin(stage);
    stage.pass(afterMs);
    expect(held.every(({ refusal }) => refusal?.why === "leaving")).toBe(true);
    expect(new Set(held.map(({ refusal }) => refusal?.retryAfterS)).size).toBe(5);
    expect(stage.arrive(limited({ holdSize: 1_000, holdMs: 60_000 })).refusal?.why).toBe("leaving");
    expect(stage.wheel.size).toBe(0);
  });

  test("whoever need not wait is served to the end", () => {
    const stage = new Stage();
    stage.setBackends(1);
    stage.admissions.stop();
    expect(stage.arrive(limited({ maxTunnels: 1 })).state).toBe("admitted");
  });
});

test("a crowd goes on in many turns of the event loop, no rule before the other", () => {
  const stage = new Stage();
  const rules = ["a", "b", "c"].map((name) => limited({ holdSize: 1_000, holdMs: 60_000 }, {}, name));
  const crowds = rules.map((rule) => stage.arriveMany(1_000, rule));
  stage.setBackends(3);
  stage.pass(0);
  expect(crowds.map((crowd) => count(crowd, "admitted"))).toEqual([1_000, 1_000, 1_000]);
  expect(stage.busiestTurn).toBeLessThanOrEqual(32);
  expect(stage.turns).toBeGreaterThanOrEqual(3_000 / 32);
});
