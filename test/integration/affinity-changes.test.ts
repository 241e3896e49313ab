import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AFFINITY, AffinityStage, COOKIE, podOf, pods } from "./fixtures/affinity-stage.ts";
import type { CookieClient } from "./fixtures/cookie-client.ts";
import type { HoldfastProcess } from "./fixtures/holdfast.ts";
import { KEYS } from "./fixtures/key-folder.ts";
import { type Manifest, route, service } from "./fixtures/manifests.ts";
import { SessionBackend } from "./fixtures/session-backend.ts";

let backends: readonly SessionBackend[] = [];
let stage: AffinityStage;
let holdfast: HoldfastProcess;
let http: string;
let admin: string;

beforeAll(async () => {
  backends = await SessionBackend.startAll(["a", "b", "c"]);
});

afterAll(async () => {
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

beforeEach(async () => {
  stage = await AffinityStage.open(backends);
  ({ holdfast, http, admin } = await stage.serve());
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

function client(): CookieClient {
  return stage.client(http);
}

describe("a rotation of the key", () => {
  /** As an operator does it who changes a Secret; a process reads it again every 5 s. */
  async function rotate(current: string, previous?: string): Promise<void> {
    const changes = () => holdfast.log.filter(({ msg }) => msg === "the affinity key is another now").length;
    const before = changes();
    await stage.keys.put(current, previous);
    await expect.poll(changes, { timeout: 20_000 }).toBe(before + 1);
  }

  test("sessions stay where they are, their cookies are renewed, and work when the old key is gone", async () => {
    const clients = await stage.seated(http, 9);
    const idle = client();
    await idle.get("/");
    const had = clients.map(({ client: someone }) => someone.cookies.get(COOKIE));
    await rotate(KEYS[1]!, KEYS[0]!);
    for (const { client: someone, name } of clients) {
      expect(await someone.open("/")).toMatchObject({ status: 101, name, set: [expect.any(String)] });
      expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
    }
    const renewed = clients.map(({ client: someone }) => someone.cookies.get(COOKIE));
    expect(renewed.filter((value) => had.includes(value))).toEqual([]);
    await rotate(KEYS[1]!);
    for (const { client: someone, name } of clients) {
      expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
      expect(await someone.open("/")).toEqual({ status: 101, name, set: [] });
    }
    expect((await idle.get("/")).set, "whoever did not come in between is seated anew").toHaveLength(1);
    expect(holdfast.text()).not.toMatch(new RegExp(KEYS.slice(0, 2).join("|")));
  });

  test("a key that is broken changes nothing, and the log says what is wrong with it", async () => {
    const clients = await stage.seated(http, 9);
    await stage.keys.put("of-few-bytes");
    await holdfast.line(({ msg }) => msg === "the affinity key cannot be read; the last one stays in force");
    for (const { client: someone, name } of clients) {
      expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
    }
    expect(holdfast.text()).not.toContain("of-few-bytes");
  });
});

describe("Pods", () => {
  test("a Pod made anew on the same address is nobody's yet: its clients are given seats among all", async () => {
    const clients = await stage.seated(http, 12);
    const anew = { ...stage.all()[0]!, uid: "uid-of-anew" };
    await stage.list([anew, ...stage.all().slice(1)]);
    const homes: string[] = [];
    for (const { client: someone, name: before } of clients) {
      const old = someone.cookies.get(COOKIE);
      const { name, set } = await someone.get("/");
      if (before === "a") {
        homes.push(name);
        expect(set).toHaveLength(1);
        expect(someone.cookies.get(COOKIE)).not.toBe(old);
      } else expect({ name, set }).toEqual({ name: before, set: [] });
      expect((await someone.open("/")).name).toBe(name);
    }
    expect(homes).toHaveLength(4);
    // In turn: at most two of four on one of three.
    expect(homes.filter((name) => name === "a").length).toBeLessThanOrEqual(2);
  });

  test("a Pod that is not ready is left, and whoever left has a new home", async () => {
    const clients = await stage.seated(http, 9);
    await stage.list(stage.all().map((pod) => (pod.uid === "uid-of-a" ? { ...pod, state: "unready" } : pod)));
    const homes = new Map<CookieClient, string>();
    for (const { client: someone, name: before } of clients) {
      const { name } = await someone.get("/");
      if (before === "a") expect(name).toMatch(/^[bc]$/);
      else expect(name).toBe(before);
      homes.set(someone, name);
    }
    await stage.list(stage.all());
    for (const [someone, name] of homes) expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
  });
});

describe("weights", () => {
  /** Two Services with a Pod each and these weights. Waits until that is in force. */
  async function weighted(blue: number, green: number, fields: Manifest = {}): Promise<void> {
    const [a, b] = backends.map(podOf);
    await stage.folder.write("more.yaml", [
      service("blue", 80),
      service("green", 80),
      ...pods("blue", [a!]),
      ...pods("green", [b!]),
    ]);
    const chat = route("chat").to("blue", 80, blue).to("green", 80, green);
    await stage.routes(chat.with({ ...AFFINITY, ...fields }).manifest());
    await expect.poll(weights, { timeout: 20_000 }).toEqual([blue, green]);
  }

  async function weights(): Promise<readonly number[] | undefined> {
    const answer = await fetch(`http://${admin}/v1/routes`);
    const { items } = (await answer.json()) as { items: { backends: { weight: number }[] }[] };
    return items[0]?.backends.map(({ weight }) => weight);
  }

  /** Of so many that are new. */
  async function shareOf(name: string, count: number): Promise<number> {
    let share = 0;
    for (let turn = 0; turn < count; turn++) if ((await client().get("/")).name === name) share++;
    return share;
  }

  test("whoever has a seat keeps it, whatever the weights become", async () => {
    await weighted(90, 10);
    expect(await shareOf("a", 50)).toBe(45);
    const clients: { someone: CookieClient; name: string }[] = [];
    for (let count = 0; count < 20; count++) {
      const someone = client();
      clients.push({ someone, name: (await someone.get("/")).name });
    }
    expect(new Set(clients.map(({ name }) => name)).size).toBe(2);
    for (const [blue, green] of [
      [10, 90],
      [0, 100],
    ] as const) {
      await weighted(blue, green);
      expect(await shareOf("b", 20)).toBe(green / 5);
      for (const { someone, name } of clients) {
        expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
        expect(await someone.open("/")).toEqual({ status: 101, name, set: [] });
      }
    }
  });

  test("with onZeroWeight Close a Service without a share is left", async () => {
    await weighted(90, 10);
    const someone = client();
    while ((await someone.get("/")).name !== "a") someone.cookies.clear();
    await weighted(0, 100, { drain: { onZeroWeight: "Close" } });
    expect(await someone.get("/")).toEqual({ status: 200, name: "b", set: [expect.any(String)] });
    expect(await someone.open("/")).toEqual({ status: 101, name: "b", set: [] });
  });
});
