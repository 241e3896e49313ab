import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ApiError } from "../../src/kube/index.ts";
import { APPS, bad, manifest, patch, PATIENT, UserView, well, Writers } from "./status.fixture.ts";

// The writers alone: what a watch would tell them is the test's to tell.

let user: UserView;
beforeAll(async () => {
  user = await UserView.start();
});
afterAll(() => user[Symbol.asyncDispose]());
afterEach(() => user.clear());

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);

describe("a status", () => {
  test("stands as soon as it is written, and until the watch has caught up", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    const old = await user.route("chat");
    expect(writers.writer.standing(`${APPS}/chat`)).toBeUndefined();
    await writers.writer.write([patch("chat")]);
    expect(writers.writer.standing(`${APPS}/chat`)).toMatchObject({ generation: 1, backends: { ready: 1 } });
    writers.writer.observe(`${APPS}/chat`, old);
    expect(writers.writer.standing(`${APPS}/chat`)).toMatchObject({ generation: 1 });
    await user.mergeStatus("chat", null);
    writers.writer.observe(`${APPS}/chat`, await user.route("chat"));
    expect(writers.writer.standing(`${APPS}/chat`)).toBeUndefined();
    writers.writer.observe(`${APPS}/chat`, undefined);
    await writers.writer.write([patch("chat")]);
    expect(writers.takeWrites()).toBe(1);
  });

  test("of a route that was deleted and made anew is not written on the new one", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    const { uid } = (await user.route("chat")).metadata;
    await user.plane.kubectl(["-n", APPS, "delete", "wsr", "chat"]);
    await user.plane.apply([manifest("chat")]);
    await writers.writer.write([patch("chat", bad("the old one"), { uid })]);
    expect(writers.takeWrites()).toBe(1);
    expect((await user.route("chat")).status).toBeUndefined();
    writers.writer.observe(`${APPS}/chat`, await user.route("chat"));
    await writers.writer.write([patch("chat", bad("the old one"), { uid })]);
    expect(writers.takeWrites()).toBe(0);
    expect(writers.told).toEqual([]);
  });

  test("of a route that is gone is nobody's trouble", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    await user.plane.kubectl(["-n", APPS, "delete", "wsr", "chat"]);
    await writers.writer.write([patch("chat"), patch("never-seen")]);
    expect(writers.takeWrites()).toBe(1);
    expect(writers.told).toEqual([]);
  });

  test("says of which generation it speaks, also when the route has moved on", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    await user.plane.apply([manifest("chat", "new.example.com")]);
    writers.writer.observe(`${APPS}/chat`, await user.route("chat"));
    await writers.writer.write([patch("chat")]);
    const { metadata, status } = await user.route("chat");
    expect(metadata.generation).toBe(2);
    expect(status?.observedGeneration).toBe(1);
    expect(status?.conditions?.map(({ observedGeneration }) => observedGeneration)).toEqual([1]);
  });

  test("that says no longer what it said loses it, and others' conditions stay", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    const programmed: typeof well = { type: "Programmed", status: "True", reason: "Programmed", message: "" };
    await writers.writer.write([patch("chat", well, { conditions: [well, programmed] })]);
    expect(await user.says("chat")).toEqual(["Accepted=True", "Programmed=True"]);
    await writers.writer.write([patch("chat")]);
    expect(await user.says("chat")).toEqual(["Accepted=True"]);
  });
});

describe("many statuses", () => {
  test("go some at a time, and no faster than the API server is meant to bear", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    const all = names(100);
    await user.put(writers, ...all);
    const startedAt = performance.now();
    await writers.writer.write(all.map((name) => patch(name)));
    // 50 at once, then 20 a second.
    expect(performance.now() - startedAt).toBeGreaterThan(2300);
    expect(writers.line.mostUnderWay).toBeLessThanOrEqual(8);
    expect(writers.told.filter((each) => each === "status written")).toHaveLength(100);
  });

  test("are written but for the one that cannot be, and that is told", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    const all = names(10);
    await user.put(writers, ...all);
    const refused = patch("r0", { ...well, status: "Perhaps" as "True" });
    await expect(writers.writer.write([refused, ...all.slice(1).map((name) => patch(name))])).rejects.toThrow(
      /Perhaps/,
    );
    expect(writers.told.filter((each) => each === "status written")).toHaveLength(9);
    expect(writers.writer.standing(`${APPS}/r0`)).toBeUndefined();
  });

  test("wait when the API server asks for it", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, ...names(20));
    let askedAt = 0;
    const times: number[] = [];
    writers.line.before = () => {
      if (askedAt > 0) return void times.push(performance.now() - askedAt);
      askedAt = performance.now();
      throw new ApiError({ status: 429, message: "too many", retryAfterMs: 1500 });
    };
    await expect(writers.writer.write(names(20).map((name) => patch(name)))).rejects.toThrow("too many");
    // Those that were under way are; all others wait.
    expect(times.filter((ms) => ms < 1500).length).toBeLessThanOrEqual(7);
    expect(times).toHaveLength(19);
  });

  test("are not tried one after the other when nobody answers", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, ...names(40));
    writers.line.line = "cut";
    const all = names(40).map((name) => patch(name));
    await expect(writers.writer.write(all)).rejects.toThrow("cut");
    expect(writers.takeWrites()).toBeLessThanOrEqual(8);
    writers.line.line = "open";
    await writers.writer.write(all);
    expect(writers.takeWrites()).toBe(40);
  });
});

describe("a replica that leads no more", () => {
  test("ends what it began, and begins nothing", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, ...names(100));
    const { promise: held, resolve } = Promise.withResolvers<void>();
    writers.line.before = () => held;
    const written = writers.writer.write(names(100).map((name) => patch(name)));
    const rejected = expect(written).rejects.toThrow("another replica");
    await expect.poll(() => writers.line.underWay, PATIENT).toBe(8);
    writers.crown.set(false);
    resolve();
    await rejected;
    expect(writers.told).toEqual(Array.from({ length: 8 }, () => "status written"));
    expect(writers.takeWrites()).toBe(8);
  });

  test("does not wait for its turn any more", async () => {
    const writers = new Writers(user.api, { isLeader: true });
    await user.put(writers, "chat");
    writers.line.before = () => {
      throw new ApiError({ status: 429, message: "too many", retryAfterMs: 60_000 });
    };
    await expect(writers.writer.write([patch("chat")])).rejects.toThrow("too many");
    const written = writers.writer.write([patch("chat")]);
    await delay(100);
    writers.crown.set(false);
    await expect(written).rejects.toThrow("another replica");
    expect(writers.takeWrites()).toBe(1);
  });
});
