import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TimerWheel } from "../relay/index.ts";
import { asking, Cleanups, closedPort, startHttp, startTcp, startWheel } from "./health.fixture.ts";
import { MOST_KINDS, MOST_OF_NAMESPACE } from "./probing.ts";
import {
  CHAT,
  ELSEWHERE,
  OTHER,
  type ProbingStage,
  ready,
  ruleWith,
  stageProbing,
  SteppedTime,
} from "./probing.fixture.ts";

/** What comes at once may be late on a busy machine. */
const SOON = { timeout: 20_000 };
/** Asked often, since these tests wait for it. */
const OFTEN = { intervalMs: 20, timeoutMs: 1_000, unhealthyAfter: 3, healthyAfter: 2 } as const;
const HTTP = asking({ ...OFTEN, type: "HTTP" });
const TCP = asking(OFTEN);

let cleanups: Cleanups;
let wheel: TimerWheel;

beforeEach(() => {
  cleanups = new Cleanups();
  wheel = startWheel(cleanups);
});

afterEach(() => cleanups.run());

function stage(options: Partial<Parameters<typeof stageProbing>[0]> = {}): ProbingStage {
  const staged = stageProbing({ wheel, ...options });
  cleanups.add(() => {
    staged.probing.stop();
    expect(staged.probing.underWay).toBe(0);
    expect(staged.wheel.size).toBe(0);
  });
  return staged;
}

/** Answers with the status of the moment. */
async function startMoody(): Promise<{ port: number; status: number; asked: number }> {
  const mood = { port: 0, status: 200, asked: 0 };
  const backend = await startHttp(cleanups, (_request, response) => {
    mood.asked++;
    response.writeHead(mood.status).end();
  });
  mood.port = backend.port;
  return mood;
}

/** So many answers from now on, as the observer has them. */
async function answers(count: number, { observer }: ProbingStage): Promise<void> {
  const before = observer.results.length;
  await expect.poll(() => observer.results.length, { ...SOON, interval: 2 }).toBeGreaterThanOrEqual(before + count);
}

function waitIntervals(count: number): Promise<void> {
  return new Promise((resolve) => void wheel.schedule(count * OFTEN.intervalMs, resolve));
}

test("a backend that fails three times in a row is passed over, and after two good answers it is not", async () => {
  const backend = await startMoody();
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", HTTP));
  await answers(5, staged);
  expect(staged.failing()).toEqual([]);
  backend.status = 500;
  await expect.poll(staged.failing, SOON).toEqual([backend.port]);
  backend.status = 200;
  await expect.poll(staged.failing, SOON).toEqual([]);
  const { said, news } = staged.observer;
  expect(said).toEqual([`failing ${backend.port}`, `well ${backend.port}`]);
  expect(news[0]).toMatchObject({ answer: { result: "bad_answer", why: "status 500" }, active: { type: "HTTP" } });
});

test("what is not in a row does not count: two failures and a success, again and again, take nobody out", async () => {
  let count = 0;
  const backend = await startHttp(cleanups, (_request, response) => {
    response.writeHead(count++ % 3 === 2 ? 200 : 500).end();
  });
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", HTTP));
  await answers(15, staged);
  expect(staged.observer.said).toEqual([]);
});

test("the third failure decides, and the second success: neither sooner nor later", async () => {
  const backend = await startMoody();
  const time = new SteppedTime();
  let fails = true;
  const isForbidden = (): string | undefined => (fails ? "so" : undefined);
  const staged = stage({ wheel: time.wheel, now: () => time.nowMs, random: () => 0.5, isForbidden });
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", asking({ intervalMs: 1_000, unhealthyAfter: 3, healthyAfter: 2 })));
  const answer = async (): Promise<readonly number[]> => {
    const before = staged.observer.results.length;
    while (staged.observer.results.length === before) await time.pass(50);
    return staged.failing();
  };
  expect(await answer()).toEqual([]);
  expect(await answer()).toEqual([]);
  expect(await answer()).toEqual([backend.port]);
  expect(await answer()).toEqual([backend.port]);
  fails = false;
  expect(await answer()).toEqual([backend.port]);
  fails = true;
  expect(await answer()).toEqual([backend.port]);
  fails = false;
  expect(await answer()).toEqual([backend.port]);
  expect(await answer()).toEqual([]);
});

test("the first probes of a thousand are spread over the interval, the next come after it give or take a tenth", async () => {
  const time = new SteppedTime();
  const asked = new Map<string, number[]>();
  const isForbidden = (address: string): string => {
    const times = asked.get(address) ?? [];
    asked.set(address, times);
    times.push(time.nowMs);
    return "so";
  };
  const staged = stage({ wheel: time.wheel, now: () => time.nowMs, isForbidden });
  const backends = Array.from({ length: 1_000 }, (_, i) => ready(80, { address: `10.0.${i >> 8}.${i & 255}` }));
  staged.registry.setEndpoints(CHAT, backends);
  staged.commit(ruleWith("a", asking({ intervalMs: 10_000 })));
  await time.pass(60_000);
  const all = [...asked.values()];
  expect(all).toHaveLength(1_000);
  const tenths = new Map<number, number>();
  for (const [first = -1] of all)
    tenths.set(Math.floor((first - 1) / 1_000), (tenths.get(Math.floor((first - 1) / 1_000)) ?? 0) + 1);
  expect([...tenths.keys()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  // 100 each, six times what chance leaves of that (√90) either way.
  for (const count of tenths.values()) expect(Math.abs(count - 100)).toBeLessThan(60);
  const periods = all.flatMap((times) => times.slice(1).map((at, i) => at - (times[i] ?? 0)));
  expect(Math.min(...periods)).toBeGreaterThanOrEqual(9_000);
  expect(Math.max(...periods)).toBeLessThanOrEqual(11_100);
  expect(Math.max(...periods) - Math.min(...periods)).toBeGreaterThan(1_500);
});

test("a thousand backends are all asked, with few sockets at once; a thousand that are silent keep no other namespace waiting", async () => {
  let open = 0;
  let most = 0;
  const silent = await startTcp(cleanups, (socket) => {
    most = Math.max(most, ++open);
    socket.resume().on("close", () => open--);
  });
  const backend = await startMoody();
  const staged = stage();
  const thousand = Array.from({ length: 1_000 }, (_, i) => ready(silent.port, { podUid: `uid-${i}` }));
  const fast = { ...OFTEN, type: "HTTP", intervalMs: 100 } as const;
  staged.registry.setEndpoints(CHAT, thousand);
  staged.registry.setEndpoints(ELSEWHERE, [ready(backend.port)]);
  staged.commit(ruleWith("a", asking({ ...fast, timeoutMs: 60_000 })), ruleWith("b", asking(fast), { [ELSEWHERE]: 1 }));
  await expect.poll(() => staged.probing.size, SOON).toBe(1_001);
  await expect.poll(() => staged.probing.underWay, SOON).toBeGreaterThanOrEqual(MOST_OF_NAMESPACE);
  const { asked } = backend;
  await expect.poll(() => backend.asked, SOON).toBeGreaterThan(asked + 5);
  expect(most).toBe(MOST_OF_NAMESPACE);
  staged.gone("a");
  await expect.poll(() => open, SOON).toBe(0);
  const all = await startMoody();
  staged.registry.setEndpoints(
    OTHER,
    thousand.map((endpoint) => ({ ...endpoint, port: all.port })),
  );
  staged.commit(ruleWith("c", asking({ ...fast, intervalMs: 500, path: "/all" }), { [OTHER]: 1 }));
  await expect.poll(() => all.asked, SOON).toBeGreaterThanOrEqual(1_000);
  expect(staged.failing()).toEqual([]);
});

test("rules and upstreams that ask a backend the same share one probe, whichever of them goes", async () => {
  const backend = await startMoody();
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.registry.setEndpoints(OTHER, [ready(backend.port)]);
  staged.commit(ruleWith("a", HTTP), ruleWith("b", HTTP), ruleWith("c", HTTP, { [OTHER]: 1 }));
  expect(staged.probing.size).toBe(1);
  staged.gone("a");
  staged.registry.setEndpoints(OTHER, []);
  expect(staged.probing.size).toBe(1);
  backend.status = 503;
  await expect.poll(staged.failing, SOON).toEqual([backend.port]);
  staged.commit(ruleWith("b", undefined));
  expect(staged.probing.size).toBe(0);
  expect(staged.failing()).toEqual([]);
});

test("what is asked differently is told apart: a rule is not kept from a backend by another rule's probe", async () => {
  const backend = await startHttp(
    cleanups,
    ({ url }, response) => void response.writeHead(url === "/a" ? 500 : 200).end(),
  );
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  const rules = ["/a", "/b"].map((path) => ruleWith(path, asking({ ...OFTEN, type: "HTTP", path })));
  staged.commit(...rules);
  await expect.poll(() => staged.observer.said, SOON).toEqual([`failing ${backend.port}`]);
  expect(staged.observer.news[0]?.active.path).toBe("/a");
  expect(staged.probing.size).toBe(2);
});

test.for<{ name: string; end: (staged: ProbingStage, port: number) => void }>([
  { name: "it is not listed any more", end: ({ registry }) => registry.setEndpoints(CHAT, []) },
  { name: "its upstream is named by nobody", end: ({ registry }) => registry.setEndpoints(CHAT, null) },
  {
    name: "it is not ready",
    end: ({ registry }, port) => registry.setEndpoints(CHAT, [ready(port, { ready: false, serving: false })]),
  },
  {
    name: "it terminates",
    end: ({ registry }, port) => registry.setEndpoints(CHAT, [ready(port, { ready: false, terminating: true })]),
  },
  { name: "the last rule that asks is gone", end: ({ gone }) => gone("a") },
  { name: "the rule asks no more", end: ({ commit }) => commit(ruleWith("a", undefined)) },
  { name: "the rule leads elsewhere", end: ({ commit }) => commit(ruleWith("a", HTTP, { [OTHER]: 1 })) },
  { name: "the rule gives it no share", end: ({ commit }) => commit(ruleWith("a", HTTP, { [CHAT]: 0, [OTHER]: 1 })) },
  { name: "the process ends", end: ({ probing }) => probing.stop() },
])("a backend is asked no more, and nothing is held against it, when $name", async ({ end }) => {
  const backend = await startMoody();
  backend.status = 500;
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", HTTP));
  await expect.poll(staged.failing, SOON).toEqual([backend.port]);
  // Carries a tunnel, so that the registry goes on knowing it.
  const lease = staged.registry.acquire(ruleWith("a", undefined), {
    use: "tunnel",
    tried: new Set(),
    hashKey: undefined,
    affinity: [],
  });
  lease?.opened();
  end(staged, backend.port);
  expect(staged.failing()).toEqual([]);
  expect(staged.probing.size).toBe(0);
  expect(staged.probing.underWay).toBe(0);
  expect(wheel.size).toBe(0);
  // What was sent before may be read after.
  await waitIntervals(2);
  const { asked } = backend;
  await waitIntervals(5);
  expect(backend.asked).toBe(asked);
  // Left is not well: nobody asked.
  expect(staged.observer.said).toEqual([`failing ${backend.port}`]);
});

test("a probe under way when it is stopped is cut, and nothing is said of it", async () => {
  const sockets: Socket[] = [];
  const backend = await startTcp(cleanups, (socket) => void sockets.push(socket.resume()));
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", asking({ ...OFTEN, type: "WebSocket", timeoutMs: 60_000 })));
  await expect.poll(() => sockets.length, SOON).toBe(1);
  staged.gone("a");
  await expect.poll(() => sockets[0]?.destroyed, SOON).toBe(true);
  expect(staged.observer.results).toEqual([]);
});

test("a backend that was unready is asked again when it is back, and is well until it fails anew", async () => {
  const port = await closedPort();
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(port)]);
  staged.commit(ruleWith("a", TCP));
  await expect.poll(staged.failing, SOON).toEqual([port]);
  staged.registry.setEndpoints(CHAT, [ready(port, { ready: false })]);
  staged.registry.setEndpoints(CHAT, [ready(port)]);
  expect(staged.failing()).toEqual([]);
  await expect.poll(staged.failing, SOON).toEqual([port]);
});

test("the same list once more, an operator's cordon, or an edit of something else begins nothing anew", async () => {
  const port = await closedPort();
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(port)]);
  staged.commit(ruleWith("a", TCP));
  await expect.poll(staged.failing, SOON).toEqual([port]);
  staged.registry.setEndpoints(CHAT, [ready(port), ready(1)]);
  staged.registry.cordon(`127.0.0.1:${port}`);
  staged.commit(ruleWith("a", TCP), ruleWith("b", undefined));
  expect(staged.failing()).toContain(port);
  expect(staged.observer.said.filter((said) => said.endsWith(` ${port}`))).toHaveLength(1);
});

test("an edit of the pace keeps what was known, an edit of the question does not", async () => {
  const port = await closedPort();
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(port)]);
  staged.commit(ruleWith("a", TCP));
  await expect.poll(staged.failing, SOON).toEqual([port]);
  staged.commit(ruleWith("a", asking({ ...OFTEN, intervalMs: 3_600_000 })));
  expect(staged.failing()).toEqual([port]);
  expect(staged.probing.size).toBe(1);
  staged.commit(ruleWith("a", asking({ ...OFTEN, intervalMs: 3_600_000, path: "/other" })));
  expect(staged.failing()).toEqual([]);
});

test("from one probe to the next is an interval, however long the answer took", async () => {
  const waiting: (() => void)[] = [];
  const backend = await startHttp(cleanups, (_request, response) => void waiting.push(() => response.end()));
  const time = new SteppedTime();
  const staged = stage({ wheel: time.wheel, now: () => time.nowMs, random: () => 0.5 });
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", asking({ type: "HTTP", intervalMs: 1_000, timeoutMs: 60_000 })));
  await time.pass(500);
  await expect.poll(() => waiting.length, SOON).toBe(1);
  await time.pass(600);
  waiting[0]?.();
  await expect.poll(() => staged.observer.results, SOON).toEqual(["success"]);
  await time.pass(350);
  expect(staged.probing.underWay).toBe(0);
  await time.pass(50);
  await expect.poll(() => waiting.length, SOON).toBe(2);
});

test("a backend that is slow to answer is never asked twice at once", async () => {
  let open = 0;
  let most = 0;
  const backend = await startHttp(cleanups, (_request, response) => {
    most = Math.max(most, ++open);
    response.on("close", () => open--);
    wheel.schedule(100, () => response.end());
  });
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", asking({ ...OFTEN, type: "HTTP", intervalMs: 1 })));
  await answers(4, staged);
  expect(most).toBe(1);
});

test("a forbidden backend fails and is never connected to", async () => {
  const backend = await startTcp(cleanups, (socket) => void socket.resume());
  const staged = stage({ isForbidden: () => "a loopback address" });
  staged.registry.setEndpoints(CHAT, [ready(backend.port)]);
  staged.commit(ruleWith("a", TCP));
  await expect.poll(staged.failing, SOON).toEqual([backend.port]);
  expect(staged.observer.news[0]?.answer).toEqual({ result: "forbidden", why: "the endpoint is a loopback address" });
  expect(backend.sockets).toEqual([]);
});

test("of the probes that rules ask of one upstream only the first kinds are done, and one that goes makes room", async () => {
  const port = await closedPort();
  const staged = stage();
  staged.registry.setEndpoints(CHAT, [ready(port)]);
  const slow = { intervalMs: 3_600_000 };
  const rules = Array.from({ length: MOST_KINDS + 2 }, (_, i) => ruleWith(`r${i}`, asking({ ...slow, path: `/${i}` })));
  staged.commit(...rules);
  expect(staged.probing.size).toBe(MOST_KINDS);
  expect(staged.observer.crowds).toEqual([CHAT, CHAT]);
  staged.gone("r0", "r1", "r2");
  expect(staged.probing.size).toBe(MOST_KINDS - 1);
});

test("a commit of thousands is taken over in turns, and what is said meanwhile holds", async () => {
  // Each look at the clock finds a turn used up.
  let nowMs = 0;
  const staged = stage({ now: () => (nowMs += 4) });
  staged.registry.setEndpoints(CHAT, [ready(1)]);
  staged.registry.setEndpoints(OTHER, [ready(2)]);
  const slow = asking({ intervalMs: 3_600_000 });
  staged.commit(
    ...Array.from({ length: 50 }, (_, i) => ruleWith(`r${i}`, slow)),
    ruleWith("last", slow, { [OTHER]: 1 }),
  );
  expect(staged.probing.size).toBe(1);
  staged.gone("r49");
  staged.commit(ruleWith("r48", asking({ intervalMs: 3_600_000, path: "/newest" })), ruleWith("r47", undefined));
  await expect.poll(() => staged.probing.size, SOON).toBe(3);
  staged.gone(...Array.from({ length: 47 }, (_, i) => `r${i}`), "r48");
  expect(staged.probing.size).toBe(1);
  staged.gone("last");
  expect(staged.probing.size).toBe(0);
  staged.commit(...Array.from({ length: 50 }, (_, i) => ruleWith(`r${i}`, slow)));
  staged.probing.stop();
  await new Promise(setImmediate);
  expect(staged.probing.size).toBe(0);
});

test("after stop nothing begins, whatever comes", async () => {
  const staged = stage();
  staged.probing.stop();
  staged.registry.setEndpoints(CHAT, [ready(1)]);
  staged.commit(ruleWith("a", TCP));
  staged.gone("a");
  expect(staged.probing.size).toBe(0);
});
