import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { endpointSlices, type Manifest, route, service } from "../integration/fixtures/manifests.ts";
import { APPS, PATIENT, Replica, UserView } from "./status.fixture.ts";

const WELL = ["Accepted=True", "Programmed=True", "ResolvedRefs=True"];
const NO_BACKEND = ["Accepted=True", "Programmed=True", "ResolvedRefs=False"];
const IDLE_MS = 5000;

let user: UserView;
beforeAll(async () => {
  user = await UserView.start();
});
afterAll(() => user[Symbol.asyncDispose]());

const replicas: Replica[] = [];
const start = (isLeader: boolean): Replica => {
  const replica = new Replica(user.api, { isLeader });
  replicas.push(replica);
  return replica;
};
beforeEach(async () => {
  await user.plane.apply([service("chat", 80), ...slices(["198.18.0.1", "198.18.0.2"])]);
});
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.stop();
  await user.plane.kubectl(["-n", APPS, "delete", "wsr,services,endpointslices,events.events.k8s.io", "--all"]);
});

const slices = (hosts: readonly string[]): Manifest[] =>
  endpointSlices(
    "chat",
    hosts.map((host) => ({ host, port: 8080 })),
  );
const chat = (to = "chat"): Manifest => route("chat").host("chat.example.com").to(to, 80).manifest();
const put = (...objects: object[]): Promise<void> => user.plane.apply(objects);
const untilWell = (name = "chat"): Promise<void> => expect.poll(() => user.says(name), PATIENT).toEqual(WELL);
const time = async (type: string): Promise<string | undefined> =>
  (await user.route("chat")).status?.conditions?.find((each) => each.type === type)?.lastTransitionTime;

test("a route is told what holds of it, of which generation, since when, and how many backends it has", async () => {
  start(true);
  await put(chat());
  await untilWell();
  const { status, metadata } = await user.route("chat");
  expect(status).toMatchObject({ observedGeneration: metadata.generation, backends: { ready: 2, draining: 0 } });
  for (const condition of status?.conditions ?? []) {
    expect(condition.observedGeneration).toBe(metadata.generation);
    expect(Math.abs(Date.now() - Date.parse(condition.lastTransitionTime))).toBeLessThan(30_000);
  }
  const columns = await user.plane.kubectl(["-n", APPS, "get", "wsr", "chat", "--no-headers"]);
  expect(
    columns
      .trim()
      .split(/\s{2,}/)
      .slice(0, 4),
  ).toEqual(["chat", '["chat.example.com"]', "True", "True"]);
});

test("a change is one write, and when nothing changes nothing is written", async () => {
  const replica = start(true);
  await put(chat());
  await untilWell();
  expect(replica.takeWrites()).toBe(1);
  const changes = [chat("gone"), chat("chat"), chat("gone"), chat("chat")];
  for (const [index, change] of changes.entries()) {
    await put(change);
    await expect.poll(() => user.says("chat"), PATIENT).toEqual(index % 2 === 0 ? NO_BACKEND : WELL);
  }
  await delay(IDLE_MS);
  expect(replica.takeWrites()).toBe(changes.length);
  await delay(IDLE_MS);
  expect(replica.takeWrites()).toBe(0);
});

test("a condition keeps its time until its status turns", async () => {
  start(true);
  await put(chat());
  await untilWell();
  const [accepted, resolved] = [await time("Accepted"), await time("ResolvedRefs")];
  await delay(1100);
  await put(chat("gone"));
  await expect.poll(() => user.says("chat"), PATIENT).toEqual(NO_BACKEND);
  expect(await time("Accepted")).toBe(accepted);
  expect(await time("ResolvedRefs")).not.toBe(resolved);
});

describe("others who write the status", () => {
  const theirs = {
    type: "example.com/Reviewed",
    status: "True",
    reason: "Reviewed",
    message: "looks good",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };

  test("keep conditions of their own through every write of ours, and cause none", async () => {
    const replica = start(true);
    await put(chat());
    await untilWell();
    replica.takeWrites();
    const document = { apiVersion: "holdfast.dev/v1alpha1", kind: "WebSocketRoute", metadata: { name: "chat" } };
    const apply = ["apply", "--server-side", "--subresource=status", "--field-manager=reviewer", "-f", "-"];
    await user.plane.kubectl(["-n", APPS, ...apply], JSON.stringify({ ...document, status: { conditions: [theirs] } }));
    await delay(2000);
    expect(replica.takeWrites()).toBe(0);
    await put(chat("gone"));
    await expect.poll(() => user.says("chat"), PATIENT).toEqual([...NO_BACKEND, "example.com/Reviewed=True"]);
    expect((await user.route("chat")).status?.conditions).toContainEqual(theirs);
    expect(replica.takeWrites()).toBe(1);
  });

  test("and say something else in our conditions are put right, by one write", async () => {
    const replica = start(true);
    await put(chat());
    await untilWell();
    const { status, metadata } = await user.route("chat");
    replica.takeWrites();
    const lies = (status?.conditions ?? []).map((each) => ({ ...each, status: "False", message: "I say so" }));
    await user.mergeStatus("chat", {
      conditions: [...lies, theirs],
      observedGeneration: 99,
      backends: { ready: 7, draining: 7 },
    });
    await expect.poll(() => user.says("chat"), PATIENT).toEqual([...WELL, "example.com/Reviewed=True"]);
    const after = (await user.route("chat")).status;
    expect(after?.backends).toEqual({ ready: 2, draining: 0 });
    expect(after?.observedGeneration).toBe(metadata.generation);
    await delay(2000);
    expect(replica.takeWrites()).toBe(1);
    expect(replica.builds).toBeLessThanOrEqual(2);
  });

  test("and take it away altogether see it come back", async () => {
    start(true);
    await put(chat());
    await untilWell();
    await user.mergeStatus("chat", null);
    await untilWell();
    expect((await user.route("chat")).status?.backends).toEqual({ ready: 2, draining: 0 });
  });

  test("and promise a generation that is to come do not silence us", async () => {
    start(true);
    await put(chat());
    await untilWell();
    const observedGeneration = 1_000_000;
    const conditions = (await user.route("chat")).status?.conditions?.map((each) => ({ ...each, observedGeneration }));
    await user.mergeStatus("chat", { observedGeneration, conditions });
    await expect.poll(async () => (await user.route("chat")).status?.observedGeneration, PATIENT).toBe(1);
    await put(chat("gone"));
    await expect.poll(() => user.says("chat"), PATIENT).toEqual(NO_BACKEND);
  });
});

describe("backends", () => {
  test("to none and from none are told within seconds, without a build", async () => {
    const replica = start(true);
    await put(chat());
    await untilWell();
    const { builds } = replica;
    const ready = async (): Promise<number | undefined> => (await user.route("chat")).status?.backends?.ready;
    await user.plane.kubectl(["-n", APPS, "delete", "endpointslices", "--all"]);
    await expect.poll(ready, PATIENT).toBe(0);
    await put(...slices(["198.18.0.9"]));
    await expect.poll(ready, PATIENT).toBe(1);
    expect(replica.builds).toBe(builds);
  });

  test("that come and go all the time are few writes", async () => {
    const replica = start(true);
    await put(chat());
    await untilWell();
    replica.takeWrites();
    for (let change = 0; change < 30; change += 1)
      await put(...slices(["198.18.0.1", `198.18.1.${change}`, "198.18.0.2"].slice(change % 2)));
    await delay(1000);
    expect(replica.takeWrites()).toBeLessThanOrEqual(2);
  });
});

describe("who leads", () => {
  test("alone writes; who begins to lead writes what differs, and nothing else", async () => {
    const [leader, other] = [start(true), start(false)];
    const [one, two] = [route("one"), route("two")].map((each) =>
      each.host("one.example.com").to("chat", 80).manifest(),
    );
    await put(chat(), one!);
    await Promise.all([untilWell(), untilWell("one")]);
    leader.crown.set(false);
    leader.takeWrites();
    await put(two!);
    await delay(1000);
    expect((await user.route("two")).status).toBeUndefined();
    other.takeWrites();
    other.crown.set(true);
    await expect.poll(async () => (await user.route("two")).status?.observedGeneration, PATIENT).toBe(1);
    await delay(2000);
    expect(other.takeWrites()).toBe(1);
    expect(leader.takeWrites()).toBe(0);
  });
});

describe("the cluster", () => {
  test("is away for a while: what changed meanwhile is written when it is back", async () => {
    const replica = start(true);
    await put(chat());
    await untilWell();
    replica.line.line = "cut";
    await put(chat("gone"));
    await expect
      .poll(() => replica.warnings, PATIENT)
      .toContain("statuses could not be written; those that were not will be tried again");
    await user.plane.stopApiServer("SIGKILL");
    replica.line.line = "open";
    await delay(2000);
    await user.plane.startApiServer();
    await expect.poll(() => user.says("chat"), { timeout: 60_000 }).toEqual(NO_BACKEND);
  });

  test("is set back to an older state: statuses are right again, whatever was written since", async () => {
    const replica = start(true);
    await put(chat("gone"));
    await expect.poll(() => user.says("chat"), PATIENT).toEqual(NO_BACKEND);
    const saved = await user.plane.saveEtcd();
    await put(chat());
    await expect.poll(() => user.says("chat"), { timeout: 60_000 }).toEqual(WELL);
    await user.plane.restoreEtcd(saved);
    await put(service("gone", 80));
    await expect.poll(() => user.says("chat"), { timeout: 60_000 }).toEqual(WELL);
    await expect.poll(async () => (await user.route("chat")).status?.observedGeneration, { timeout: 90_000 }).toBe(1);
    expect(replica.crown.isLeader).toBe(true);
  });
});
