import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ApiError } from "../../src/kube/index.ts";
import { APPS, bad, patch, PATIENT, UserView, well, Writers } from "./status.fixture.ts";

// The writers alone: what a watch would tell them is the test's to tell.

let user: UserView;
beforeAll(async () => {
  user = await UserView.start();
});
afterAll(() => user[Symbol.asyncDispose]());
afterEach(() => user.clear());

describe("Events", () => {
  const wait = (name: string, count: number): Promise<void> =>
    expect.poll(() => user.events(name), PATIENT).toHaveLength(count);

  test("tell a route's owner what is wrong, and when it is right again", async () => {
    const writers = new Writers(user.api, { isLeader: true, identity: "holdfast-7f-x/1" });
    await user.put(writers, "chat");
    await writers.writer.write([patch("chat", bad("spec.rules: too few"))]);
    await wait("chat", 1);
    const { uid } = (await user.route("chat")).metadata;
    expect((await user.events("chat"))[0]).toMatchObject({
      type: "Warning",
      reason: "Invalid",
      action: "Validating",
      note: "spec.rules: too few",
      reportingController: "holdfast.dev/ingress",
      reportingInstance: "holdfast-7f-x/1",
      regarding: { kind: "WebSocketRoute", name: "chat", namespace: APPS, uid },
    });
    await writers.writer.write([patch("chat")]);
    await wait("chat", 2);
    expect((await user.events("chat")).map(({ type, reason }) => `${type} ${reason}`).toSorted()).toEqual([
      "Normal Accepted",
      "Warning Invalid",
    ]);
    expect(await user.plane.kubectl(["-n", APPS, "describe", "wsr", "chat"])).toContain("spec.rules: too few");
  });

  test("are not sent for a route that is well from the start, nor for what stood before this replica led", async () => {
    const first = new Writers(user.api, { isLeader: true });
    await user.put(first, "chat", "well");
    await first.writer.write([patch("chat", bad("no")), patch("well")]);
    await wait("chat", 1);
    const second = new Writers(user.api, { isLeader: true });
    await user.put(second, "chat", "well");
    await second.writer.write([patch("chat", bad("no"), { backends: { ready: 3, draining: 0 } })]);
    await delay(500);
    expect(second.told).toEqual(["status written"]);
    expect(first.told.filter((each) => each.startsWith("event"))).toEqual(["event sent"]);
  });

  test("of the longest name and the longest words are taken by the API server", async () => {
    const writers = new Writers(user.api, { isLeader: true, identity: "x".repeat(300) });
    const name = `${"a".repeat(49)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.${"e".repeat(20)}`;
    await user.put(writers, name);
    await writers.writer.write([patch(name, bad(`${"é".repeat(700)}`))]);
    await expect.poll(() => writers.told, PATIENT).toContain("event sent");
    const [event] = await user.events(name);
    expect(Buffer.byteLength(event?.note ?? "")).toBeGreaterThan(1000);
    expect(event?.note).toMatch(/é…$/);
  });

  test("on a route that turns and turns again are few, and those that are dropped are counted", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat", "other");
    for (let turn = 0; turn < 10; turn += 1)
      await writers.writer.write([patch("chat", turn % 2 === 0 ? bad("no") : well)]);
    await wait("chat", 5);
    expect(writers.told.filter((each) => each === "event dropped")).toHaveLength(5);
    await writers.writer.write([patch("other", bad("no"))]);
    await wait("other", 1);
  });

  test("that fail disturb nothing, and are counted", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    writers.line.before = ({ method }) => {
      if (method === "POST") throw new ApiError({ status: 403, message: "may not" });
    };
    await writers.writer.write([patch("chat", bad("no"))]);
    await expect.poll(() => writers.told, PATIENT).toEqual(["status written", "event failed"]);
    expect(await user.says("chat")).toEqual(["Accepted=False"]);
  });

  test("are sent by the leader only", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    writers.line.before = ({ method }) => {
      if (method === "PATCH") writers.crown.set(false);
    };
    await expect(writers.writer.write([patch("chat", bad("no"))])).rejects.toThrow("another replica");
    await delay(200);
    expect(writers.told).toEqual(["status written"]);
  });
});
