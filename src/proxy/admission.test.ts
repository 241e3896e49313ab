import { describe, expect, test } from "vitest";
import type { AdmissionPolicy } from "../routing/index.ts";
import { QUIET_POLICY } from "../routing/rule-policy.fixture.ts";
import {
  Cleanups,
  entry,
  handshakeHead,
  rawClient,
  type RawClient,
  type RuleOptions,
  startAnswering,
  startHttp,
  startProxy,
  type StartedProxy,
  startTcp,
  switchHead,
  textFrame,
} from "./proxy.fixture.ts";
import { UNBOUNDED } from "./bounds.ts";

/** The machine may be busy with other tests. */
const PATIENT = { timeout: 10_000 };

function ruleWith(admission: Partial<AdmissionPolicy>, policy: RuleOptions["policy"] = {}): ReturnType<typeof entry> {
  return entry({ policy: { ...policy, admission: { ...QUIET_POLICY.admission, ...admission } } });
}

function handshakes(cleanups: Cleanups, proxy: StartedProxy, count: number): readonly RawClient[] {
  return Array.from({ length: count }, () => rawClient(cleanups, proxy.port, handshakeHead()));
}

function answers(clients: readonly RawClient[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const client of clients) {
    const text = client.text();
    const answer = /holdfast-error: (\S+)/.exec(text)?.[1] ?? (text === "" ? "none" : text.split(" ")[1]!);
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

function retryAfter(client: RawClient): number {
  return Number(/\r\nretry-after: (\d+)\r\n/.exec(client.text())?.[1]);
}

describe("limits of a rule", () => {
  test("maxTunnels: one too many is answered 503; those that wait go on when a tunnel ends", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, {
      backends: [await startAnswering(cleanups, switchHead())],
      entries: [ruleWith({ maxTunnels: 2, queueSize: 1, queueMs: 20_000 })],
    });
    const open = handshakes(cleanups, proxy, 2);
    await expect.poll(() => answers(open), PATIENT).toEqual({ 101: 2 });
    const [waiter] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => proxy.waiting(), PATIENT).toMatchObject([{ rule: "app", why: "queue", count: 1 }]);
    const [refused] = handshakes(cleanups, proxy, 1);
    expect(await refused!.whole).toContain("the rule has 2 tunnels, as many as it may; 1 wait already");
    expect(answers([refused!])).toEqual({ HF_RULE_FULL: 1 });
    expect(retryAfter(refused!)).toBeGreaterThanOrEqual(5);
    expect(retryAfter(refused!)).toBeLessThanOrEqual(15);
    expect(proxy.seen.refused).toMatchObject([
      { code: "HF_RULE_FULL", status: 503, route: "apps/chat", upgrade: true },
    ]);
    // Ended by both sides, so that its end takes no time.
    open[0]!.send("\x88\x82\0\0\0\0\x03\xe8");
    open[0]!.socket.destroy();
    await expect.poll(() => answers([waiter!]), { timeout: 10_000 }).toEqual({ 101: 1 });
    waiter!.send(textFrame("hello", "client"));
    await expect.poll(() => waiter!.text(), PATIENT).toContain("hello");
  });

  test("maxTunnelsPerBackend: with every backend full the answer is 503, and a new backend takes who waits", async () => {
    await using cleanups = new Cleanups();
    const ports = [await startAnswering(cleanups, switchHead()), await startAnswering(cleanups, switchHead())];
    const proxy = await startProxy(cleanups, {
      backends: ports.slice(0, 1),
      entries: [ruleWith({ maxTunnelsPerBackend: 1, queueSize: 1, queueMs: 20_000 })],
    });
    const [first, waiter] = [handshakes(cleanups, proxy, 1), handshakes(cleanups, proxy, 1)].flat();
    await expect.poll(() => proxy.waiting(), PATIENT).toMatchObject([{ why: "queue", count: 1 }]);
    const [refused] = handshakes(cleanups, proxy, 1);
    expect(await refused!.whole).toContain("each backend that may be used carries 1 tunnels or more");
    proxy.setBackends(ports);
    await expect.poll(() => answers([first!, waiter!]), PATIENT).toEqual({ 101: 2 });
  });

  test("handshakesPerSecond: in three seconds no more than the rate allows reach the backend, and no fewer", async () => {
    await using cleanups = new Cleanups();
    const arrivals: number[] = [];
    const backend = await startTcp(cleanups, (socket) => {
      socket.once("data", () => {
        arrivals.push(performance.now());
        socket.write(switchHead(), "latin1");
      });
    });
    const rate = 40;
    const proxy = await startProxy(cleanups, {
      backends: [backend],
      entries: [ruleWith({ handshakesPerSecond: rate, queueSize: 1_000, queueMs: 30_000 }, { handshakeMs: 0 })],
    });
    const clients = handshakes(cleanups, proxy, 150);
    await expect.poll(() => answers(clients), { timeout: 10_000 }).toEqual({ 101: 150 });
    const first = arrivals[0]!;
    const within = (ms: number): number => arrivals.filter((at) => at - first < ms).length;
    // One second's worth at once, then the rate. What arrives is up to a turn of the wheel later than what is let go.
    for (const seconds of [0.5, 1, 1.5, 2, 2.5])
      expect(within(seconds * 1_000)).toBeLessThanOrEqual(rate * (1 + seconds + 0.1));
    expect(arrivals.at(-1)! - first).toBeGreaterThan(((150 - rate) / rate) * 1_000 - 300);
    expect(arrivals.at(-1)! - first).toBeLessThan(((150 - rate) / rate) * 1_000 + 1_500);
  });

  test("a crowd above the rate is told different times to come back", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, {
      backends: [await startAnswering(cleanups, switchHead())],
      entries: [ruleWith({ handshakesPerSecond: 10 })],
    });
    const clients = handshakes(cleanups, proxy, 110);
    await expect.poll(() => answers(clients)["none"] ?? 0, PATIENT).toBe(0);
    const refused = clients.filter((client) => !client.text().includes(" 101 "));
    expect(answers(refused)).toEqual({ HF_RATE_LIMITED: refused.length });
    expect(refused.length).toBeGreaterThan(80);
    const seconds = refused.map(retryAfter);
    for (let second = 1; second <= 9; second++) {
      expect(seconds.filter((at) => at === second).length).toBeLessThanOrEqual(20);
    }
    expect(Math.max(...seconds)).toBeGreaterThanOrEqual(Math.floor(refused.length / 10) - 1);
  });

  test("plain requests are not counted", async () => {
    await using cleanups = new Cleanups();
    const { port } = await startHttp(cleanups, (_request, response) => response.end("fine"));
    const proxy = await startProxy(cleanups, {
      backends: [port],
      entries: [ruleWith({ maxTunnels: 1, maxTunnelsPerBackend: 1, handshakesPerSecond: 1 })],
    });
    for (let again = 0; again < 5; again++) {
      const client = rawClient(cleanups, proxy.port, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
      expect(await client.whole).toContain("fine");
    }
  });

  test("a refusal of the backend gives the place back", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, {
      backends: [await startAnswering(cleanups, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")],
      entries: [ruleWith({ maxTunnels: 1 })],
    });
    for (let again = 0; again < 3; again++) {
      const [client] = handshakes(cleanups, proxy, 1);
      expect(await client!.whole).toContain(" 403 ");
    }
  });
});

describe("holdUntilReady", () => {
  const HOLD = { holdSize: 100, holdMs: 30_000 };

  test("whoever comes while there is no backend has its 101 within a tenth of a second of the first one", async () => {
    await using cleanups = new Cleanups();
    const heads: string[] = [];
    const backend = await startAnswering(cleanups, switchHead(), heads);
    const proxy = await startProxy(cleanups, { entries: [ruleWith(HOLD)] });
    const tookMs: number[] = [];
    // What the machine does besides counts too: the quickest of some rounds says what we do.
    for (let round = 1; round <= 5; round++) {
      proxy.setBackends([]);
      const clients = handshakes(cleanups, proxy, 10);
      await expect.poll(() => proxy.waiting(), PATIENT).toMatchObject([{ why: "hold", count: 10 }]);
      const opened = clients.map((client) => new Promise((resolve) => client.socket.once("data", resolve)));
      const readyMs = performance.now();
      proxy.setBackends([backend]);
      await Promise.all(opened);
      tookMs.push(performance.now() - readyMs);
      expect(answers(clients)).toEqual({ 101: 10 });
      expect(heads).toHaveLength(round * 10);
    }
    expect(Math.min(...tookMs)).toBeLessThan(100);
    expect(proxy.leases()).toEqual([0, 50]);
  });

  test("when it ends in vain the answer is 503 with some seconds to wait, never 403 or 200", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { entries: [ruleWith({ holdSize: 20, holdMs: 300 })] });
    const clients = handshakes(cleanups, proxy, 20);
    const whole = await Promise.all(clients.map((client) => client.whole));
    for (const text of whole) {
      expect(text).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
      expect(text).toContain("holdfast-error: HF_NO_BACKEND");
      expect(text).toMatch(/it was held for 0\.[3-9] s/);
    }
    expect(new Set(clients.map(retryAfter)).size).toBeGreaterThan(1);
    for (const seconds of clients.map(retryAfter)) expect(seconds >= 1 && seconds <= 5).toBe(true);
    expect(proxy.server.pendingHandshakes).toBe(0);
  });

  test("one too many is refused at once", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { entries: [ruleWith({ holdSize: 2, holdMs: 30_000 })] });
    handshakes(cleanups, proxy, 2);
    await expect.poll(() => proxy.waiting(), PATIENT).toMatchObject([{ count: 2 }]);
    const [refused] = handshakes(cleanups, proxy, 1);
    expect(await refused!.whole).toContain("2 are held already");
  });

  test("the time of the handshake begins when the hold is over", async () => {
    await using cleanups = new Cleanups();
    const silent = await startTcp(cleanups, (socket) => void socket.resume());
    const proxy = await startProxy(cleanups, { entries: [ruleWith(HOLD, { handshakeMs: 400 })] });
    const [client] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => proxy.waiting(), PATIENT).toHaveLength(1);
    const beganMs = performance.now();
    // Longer than a handshake may take.
    await expect.poll(() => performance.now() - beganMs, { timeout: 5_000 }).toBeGreaterThan(600);
    expect(client!.text()).toBe("");
    const readyMs = performance.now();
    proxy.setBackends([silent]);
    expect(await client!.whole).toContain("HF_HANDSHAKE_TIMEOUT");
    expect(performance.now() - readyMs).toBeGreaterThanOrEqual(350);
  });

  test.for([
    { name: "closes", go: ({ socket }: RawClient) => void socket.destroy() },
    { name: "resets", go: ({ socket }: RawClient) => void socket.resetAndDestroy() },
    { name: "ends its half", go: ({ socket }: RawClient) => void socket.end() },
  ])("a client that $name while it is held frees its place at once", async ({ go }) => {
    await using cleanups = new Cleanups();
    const heads: string[] = [];
    const proxy = await startProxy(cleanups, { entries: [ruleWith({ holdSize: 1, holdMs: 60_000 })] });
    const [first] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => proxy.waiting(), PATIENT).toHaveLength(1);
    go(first!);
    await expect.poll(() => proxy.waiting(), PATIENT).toEqual([]);
    expect(proxy.server.pendingHandshakes).toBe(0);
    const [second] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => proxy.waiting(), PATIENT).toHaveLength(1);
    proxy.setBackends([await startAnswering(cleanups, switchHead(), heads)]);
    await expect.poll(() => answers([second!]), PATIENT).toEqual({ 101: 1 });
    expect(heads).toHaveLength(1);
  });

  test("an endpoint that is there is no reason to wait, however it answers", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, {
      backends: [await startAnswering(cleanups, "garbage")],
      entries: [ruleWith(HOLD)],
    });
    const [client] = handshakes(cleanups, proxy, 1);
    expect(await client!.whole).toContain("HF_BACKEND_BAD_RESPONSE");
  });

  test("what a client sends while it is held comes through behind its head", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { entries: [ruleWith(HOLD)] });
    const [client] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => proxy.waiting(), PATIENT).toHaveLength(1);
    client!.send(textFrame("early", "client"));
    proxy.setBackends([await startAnswering(cleanups, switchHead())]);
    await expect.poll(() => client!.text(), PATIENT).toContain("early");
  });
});

describe("a process that leaves", () => {
  test("answers whoever waits when it stops to listen", async () => {
    await using cleanups = new Cleanups();
    const proxy = await startProxy(cleanups, { entries: [ruleWith({ holdSize: 300, holdMs: 60_000 })] });
    const clients = handshakes(cleanups, proxy, 200);
    await expect.poll(() => proxy.waiting(), PATIENT).toMatchObject([{ count: 200 }]);
    proxy.server.stopListening();
    await Promise.all(clients.map((client) => client.whole));
    expect(answers(clients)).toEqual({ HF_DRAINING: 200 });
    expect(new Set(clients.map(retryAfter)).size).toBe(5);
    expect(proxy.server.pendingHandshakes).toBe(0);
  });

  test("answers whoever waits when it is drained", async () => {
    await using cleanups = new Cleanups();
    const drain = { isDraining: true, isRefusing: false };
    const proxy = await startProxy(cleanups, {
      entries: [ruleWith({ holdSize: 10, holdMs: 60_000 })],
      bounds: { ...UNBOUNDED, drain },
    });
    const [client] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => proxy.waiting(), PATIENT).toHaveLength(1);
    drain.isRefusing = true;
    expect(await client!.whole).toContain("HF_DRAINING");
  });
});

test("a rule that is edited takes on whom it may now, and one that is deleted still serves who waits", async () => {
  await using cleanups = new Cleanups();
  const backend = await startAnswering(cleanups, switchHead());
  const proxy = await startProxy(cleanups, {
    backends: [backend],
    entries: [ruleWith({ maxTunnels: 1, queueSize: 9, queueMs: 60_000 }, { handshakeMs: 0 })],
  });
  const [first] = handshakes(cleanups, proxy, 1);
  await expect.poll(() => answers([first!]), PATIENT).toEqual({ 101: 1 });
  const waiters = handshakes(cleanups, proxy, 2);
  await expect.poll(() => proxy.waiting(), PATIENT).toMatchObject([{ count: 2 }]);
  proxy.setEntries([ruleWith({ maxTunnels: 2, queueSize: 9, queueMs: 60_000 }, { handshakeMs: 0 })]);
  await expect.poll(() => answers(waiters), PATIENT).toEqual({ 101: 1, none: 1 });
  proxy.setEntries([]);
  proxy.server.forgetRules([ruleWith({}).rule.id]);
  first!.send("\x88\x82\0\0\0\0\x03\xe8");
  first!.socket.destroy();
  await expect.poll(() => answers(waiters), { timeout: 10_000 }).toEqual({ 101: 2 });
});

test("of a rule whose limits are taken away, or that is deleted, nothing is kept", async () => {
  await using cleanups = new Cleanups();
  const limits = ruleWith({ maxTunnels: 5 });
  const proxy = await startProxy(cleanups, {
    backends: [await startAnswering(cleanups, switchHead())],
    entries: [limits],
  });
  for (const away of [() => proxy.setEntries([ruleWith({})]), () => proxy.server.forgetRules([limits.rule.id])]) {
    proxy.setEntries([limits]);
    const [client] = handshakes(cleanups, proxy, 1);
    await expect.poll(() => answers([client!]), PATIENT).toEqual({ 101: 1 });
    expect(proxy.keptRules()).toBe(1);
    away();
    expect(proxy.keptRules()).toBe(0);
  }
});
