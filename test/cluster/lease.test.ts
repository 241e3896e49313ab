import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { apiOf } from "./fixtures/tapped-api.ts";
import { Election, leaders, TIMINGS, untilOneLeads, watchLeaders, WHILE_MS } from "./lease.fixture.ts";

const HOUR_MS = 3_600_000;

let election: Election;
beforeAll(async () => {
  election = await Election.start();
});
afterAll(() => election[Symbol.asyncDispose]());
afterEach(() => election.clear());

describe("of several claimants", () => {
  test("exactly one leads, from the first moment on", async () => {
    const all = ["a", "b", "c", "d", "e"].map((identity) => election.claim(identity));
    const seen = watchLeaders(...all);
    await untilOneLeads(...all);
    await delay(WHILE_MS);
    seen.stop();
    expect(seen.most).toBe(1);
    expect(all.flatMap(({ changes }) => changes)).toEqual([true]);
    expect(await election.spec()).toMatchObject({ holderIdentity: leaders(...all)[0], leaseTransitions: 0 });
  });

  test("the leader is killed without a word: another leads when the lease has expired, not before", async () => {
    const [leader, other] = await election.leaderAndOther();
    const killedAt = performance.now();
    leader.kill();
    await untilOneLeads(other);
    const tookMs = performance.now() - killedAt;
    expect(tookMs).toBeGreaterThan(TIMINGS.leaseDurationMs - 2 * TIMINGS.retryPeriodMs);
    expect(tookMs).toBeLessThan(2 * TIMINGS.leaseDurationMs);
    expect(await election.spec()).toMatchObject({ holderIdentity: "other", leaseTransitions: 1 });
  });

  test("one that ends gives it up: another leads within a look", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    const releasedAt = performance.now();
    const released = leader.elector.release();
    expect(leader.elector.isLeader).toBe(false);
    expect(leader.changes).toEqual([true, false]);
    await released;
    await untilOneLeads(other);
    expect(performance.now() - releasedAt).toBeLessThan(TIMINGS.leaseDurationMs * 0.8);
    seen.stop();
    expect(seen.most).toBe(1);
  });

  test("with the timings of production, giving up hands over long before the lease would expire", async () => {
    const production = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 };
    const first = election.claim("first", { timings: production });
    await untilOneLeads(first);
    const second = election.claim("second", { timings: production });
    await expect.poll(() => second.line.asked.length, { timeout: 15_000 }).toBeGreaterThan(0);
    const releasedAt = performance.now();
    await first.elector.release();
    expect(await election.spec()).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1 });
    await untilOneLeads(second);
    expect(performance.now() - releasedAt).toBeLessThan(7000);
  });

  test("one that does not lead gives up nothing", async () => {
    const [leader, other] = await election.leaderAndOther();
    await other.elector.release();
    expect(await election.spec()).toMatchObject({ holderIdentity: "leader" });
    expect(leader.elector.isLeader).toBe(true);
  });

  test.for([
    { name: "an hour ahead", wallMs: HOUR_MS },
    { name: "an hour behind", wallMs: -HOUR_MS },
  ])("a leader whose clock is $name keeps it, and loses it as any other does", async ({ wallMs }) => {
    const leader = election.claim("leader", { wallMs });
    await untilOneLeads(leader);
    const other = election.claim("other", { wallMs: -wallMs });
    const seen = watchLeaders(leader, other);
    await delay(WHILE_MS);
    expect(leaders(leader, other)).toEqual(["leader"]);
    expect(other.changes).toEqual([]);
    leader.kill();
    await untilOneLeads(other);
    seen.stop();
    expect(seen.most).toBe(1);
  });
});

describe("the API server", () => {
  test("is killed for longer than a leader may go without it: nobody leads; when it is back, one does", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    await election.plane.stopApiServer("SIGKILL");
    await expect.poll(() => leaders(leader, other), { timeout: 15_000, interval: 5 }).toEqual([]);
    await delay(WHILE_MS);
    expect(leaders(leader, other)).toEqual([]);
    await election.plane.startApiServer();
    await untilOneLeads(leader, other);
    await delay(WHILE_MS);
    seen.stop();
    expect(seen.most).toBe(1);
    expect(leaders(leader, other)).toHaveLength(1);
  });

  test("answers the leader no more: it stops before another begins", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    leader.line.line = "hung";
    await untilOneLeads(other);
    expect(leader.changes).toEqual([true, false]);
    leader.line.line = "open";
    await delay(WHILE_MS);
    seen.stop();
    expect(seen.most).toBe(1);
    expect(leaders(leader, other)).toEqual(["other"]);
  });

  test("hears the leader whose answers are lost: it leads no longer than it knows, and again when it hears", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    leader.line.line = "deaf";
    await expect.poll(() => leader.elector.isLeader, { timeout: 15_000, interval: 5 }).toBe(false);
    leader.line.line = "open";
    await untilOneLeads(leader, other);
    seen.stop();
    expect(seen.most).toBe(1);
  });

  test("answers late: a leader counts from when it asked, not from when it was told", async () => {
    const leader = election.claim("leader");
    await untilOneLeads(leader);
    // Of many others one looks at the very moment at which it may.
    const others = ["b", "c", "d", "e"].map((identity) => election.claim(identity));
    const seen = watchLeaders(leader, ...others);
    leader.line.after = ({ method }) => (method === "PUT" ? delay(TIMINGS.renewDeadlineMs / 3) : undefined);
    await delay(WHILE_MS);
    expect(leader.changes).toEqual([true]);
    await expect.poll(() => leader.line.asked.at(-1)?.method, { timeout: 15_000, interval: 5 }).toBe("PUT");
    leader.line.line = "hung";
    await untilOneLeads(...others);
    seen.stop();
    expect(seen.most).toBe(1);
  });

  test("refuses: it is said once, in the log, and nobody leads", async () => {
    await election.plane.apply([
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "powerless", namespace: "default" } },
    ]);
    const powerless = await apiOf(await election.plane.kubeconfigOf("default", "powerless"));
    const claimant = election.claim("powerless", { api: powerless });
    await expect.poll(() => claimant.line.asked.length, { timeout: 15_000 }).toBeGreaterThan(5);
    expect(claimant.warnings).toEqual(["the Lease object cannot be read or written"]);
    expect(claimant.elector.isLeader).toBe(false);
    powerless.close();
  });
});

describe("a process that stood still", () => {
  test("knows by the clock that it leads no more, before any timer has run", async () => {
    const [leader] = await election.leaderAndOther();
    expect(leader.elector.isLeader).toBe(true);
    leader.clock.nowMs += TIMINGS.renewDeadlineMs + 1;
    expect(leader.elector.isLeader).toBe(false);
  });

  test("tells those who listen that it led no more, when it leads again", async () => {
    const leader = election.claim("leader");
    await untilOneLeads(leader);
    leader.clock.nowMs += TIMINGS.renewDeadlineMs + 1;
    await expect.poll(() => leader.changes, { timeout: 15_000 }).toEqual([true, false, true]);
    expect(leader.elector.isLeader).toBe(true);
  });
});

test("a leader asks for get and update alone, and for nothing when it has ended", async () => {
  const leader = election.claim("leader");
  await untilOneLeads(leader);
  await delay(5 * TIMINGS.retryPeriodMs);
  expect(new Set(leader.line.asked.map(({ method }) => method))).toEqual(new Set(["GET", "POST", "PUT"]));
  expect(leader.line.asked.filter(({ method }) => method === "POST")).toHaveLength(1);
  await leader.elector.release();
  leader.line.asked.splice(0);
  await delay(5 * TIMINGS.retryPeriodMs);
  expect(leader.line.asked).toEqual([]);
});
