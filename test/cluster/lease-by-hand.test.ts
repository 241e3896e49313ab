import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Election, leaders, TIMINGS, untilOneLeads, watchLeaders } from "./lease.fixture.ts";

let election: Election;
beforeAll(async () => {
  election = await Election.start();
});
afterAll(() => election[Symbol.asyncDispose]());
afterEach(() => election.clear());

describe("the Lease object, by hand", () => {
  test("another holder is written: the leader stops at its next look, and when nobody renews one leads again", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    await election.patch({ spec: { holderIdentity: "nobody-there" } });
    await expect
      .poll(() => leader.elector.isLeader, { timeout: TIMINGS.leaseDurationMs - 500, interval: 5 })
      .toBe(false);
    await untilOneLeads(leader, other);
    seen.stop();
    expect(seen.most).toBe(1);
  });

  test("the name of the other is written: it does not believe it, since the leader may not know yet", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    // The leader does not look while the other does.
    leader.line.before = () => delay(TIMINGS.renewDeadlineMs / 3);
    await election.patch({ spec: { holderIdentity: "other" } });
    await expect.poll(() => leader.elector.isLeader, { timeout: 15_000, interval: 5 }).toBe(false);
    leader.line.before = () => {};
    await untilOneLeads(leader, other);
    seen.stop();
    expect(seen.most).toBe(1);
  });

  test("the name is emptied: nobody takes it before the leader must have seen it", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    leader.line.before = () => delay(TIMINGS.renewDeadlineMs / 3);
    await election.patch({ spec: { holderIdentity: "" } });
    await expect.poll(() => leader.changes.length, { timeout: 15_000, interval: 5 }).toBe(2);
    leader.line.before = () => {};
    await untilOneLeads(leader, other);
    seen.stop();
    expect(seen.most).toBe(1);
  });

  test("it is deleted: the leader makes it anew and goes on", async () => {
    const [leader, other] = await election.leaderAndOther();
    const seen = watchLeaders(leader, other);
    for (let time = 0; time < 5; time += 1) {
      await election.delete();
      await expect
        .poll(() => election.spec().catch(() => undefined), { timeout: 15_000 })
        .toMatchObject({ holderIdentity: "leader" });
    }
    seen.stop();
    expect(seen).toMatchObject({ most: 1, least: 1 });
    expect(leader.changes).toEqual([true]);
  });

  test("it is deleted after the leader died: another makes it, no sooner than it would have taken it", async () => {
    const [leader, other] = await election.leaderAndOther();
    leader.kill();
    const killedAt = performance.now();
    await election.delete();
    await untilOneLeads(other);
    expect(performance.now() - killedAt).toBeGreaterThan(TIMINGS.leaseDurationMs - 2 * TIMINGS.retryPeriodMs);
  });

  test("nonsense in it hinders nobody for long, and labels on it stay", async () => {
    const [leader, other] = await election.leaderAndOther();
    await election.plane.kubectl(["label", "lease", "holdfast", "-n", "default", "team=edge"]);
    await election.patch({ spec: { leaseDurationSeconds: 2_000_000_000, renewTime: "2199-01-01T00:00:00.000000Z" } });
    await delay(3 * TIMINGS.retryPeriodMs);
    expect(leaders(leader, other)).toEqual(["leader"]);
    expect(await election.spec()).toMatchObject({ leaseDurationSeconds: 3 });
    const labels = await election.plane.kubectl(["get", "lease", "holdfast", "-n", "default", "--show-labels"]);
    expect(labels).toContain("team=edge");
  });

  test("one without a word in it is free", async () => {
    await election.plane.apply([
      { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "holdfast", namespace: "default" } },
    ]);
    const startedAt = performance.now();
    const claimant = election.claim("first");
    await untilOneLeads(claimant);
    expect(performance.now() - startedAt).toBeLessThan(TIMINGS.leaseDurationMs / 2);
    expect(await election.spec()).toMatchObject({ leaseTransitions: 0 });
  });
});
