import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AFFINITY, AffinityStage, COOKIE } from "./fixtures/affinity-stage.ts";
import type { CookieClient } from "./fixtures/cookie-client.ts";
import { route } from "./fixtures/manifests.ts";
import { SessionBackend } from "./fixtures/session-backend.ts";

const VALUE = "[\\w-]{22}";

let backends: readonly SessionBackend[] = [];
let stage: AffinityStage;
let http: string;

beforeAll(async () => {
  backends = await SessionBackend.startAll(["a", "b", "c"]);
});

afterAll(async () => {
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

beforeEach(async () => {
  stage = await AffinityStage.open(backends);
  ({ http } = await stage.serve());
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

function client(): CookieClient {
  return stage.client(http);
}

/** The rule's change has come through when a client without cookies is given what it should be given. */
async function untilSet(path: string, set: RegExp): Promise<void> {
  await expect.poll(async () => (await client().get(path)).set.join(), { timeout: 20_000 }).toMatch(set);
}

describe("what the cookie is", () => {
  test("it is set once, says nothing of the Pod, and is the same for whoever is on that Pod", async () => {
    const values = new Map<string, Set<string>>();
    for (const { client: someone, name } of await stage.seated(http, 9)) {
      const had = someone.cookies.get(COOKIE)!;
      values.set(name, (values.get(name) ?? new Set()).add(had));
      const again = await someone.get("/");
      expect(again).toEqual({ status: 200, name, set: [] });
    }
    const each = [...values.values()].map((set) => [...set]);
    expect(each.map(({ length }) => length)).toEqual([1, 1, 1]);
    for (const value of each.flat()) expect(value).toMatch(new RegExp(`^${VALUE}$`));
    expect(new Set(each.flat()).size).toBe(3);
  });

  test.for([
    {
      title: "as it is by default",
      cookie: {},
      line: `^${COOKIE}=${VALUE}; Path=/; HttpOnly; SameSite=Lax$`,
    },
    {
      title: "with all that a rule can say",
      cookie: { path: "/chat", ttl: "90m", secure: true, sameSite: "None" },
      line: `^${COOKIE}=${VALUE}; Path=/chat; Max-Age=5400; HttpOnly; Secure; SameSite=None$`,
    },
    {
      title: "with Strict",
      cookie: { sameSite: "Strict", secure: true },
      line: `^${COOKIE}=${VALUE}; Path=/; HttpOnly; Secure; SameSite=Strict$`,
    },
  ])("$title, on a plain answer, a 101 and a refusal alike", async ({ cookie, line }) => {
    const fields = { affinity: { cookie: { name: COOKIE, ...cookie } } };
    await stage.rule(fields);
    await untilSet("/chat", new RegExp(line));
    const [open, refused] = [await client().open("/chat"), await client().open("/chat/refused")];
    expect([open.status, refused.status]).toEqual([101, 403]);
    for (const { set } of [open, refused]) {
      expect(set).toHaveLength(1);
      expect(set[0]).toMatch(new RegExp(line));
    }
  });

  test("with a ttl its life begins anew with every answer", async () => {
    const fields = { affinity: { cookie: { name: COOKIE, ttl: "10m" } } };
    await stage.rule(fields);
    await untilSet("/", /Max-Age=600/);
    const someone = client();
    const [first] = (await someone.get("/")).set;
    expect((await someone.get("/")).set).toEqual([first]);
    expect((await someone.open("/")).set).toEqual([first]);
  });

  test("without a name in the rule, rules have cookies of their own", async () => {
    const fields = { affinity: { cookie: {} } };
    const one = route("one").prefix("/one").to("chat", 80).with(fields).manifest();
    await stage.routes(one, route("two").prefix("/two").to("chat", 80).with(fields).manifest());
    await untilSet("/two", /^holdfast-/);
    const someone = client();
    await someone.get("/one");
    await someone.get("/two");
    expect([...someone.cookies.keys()].filter((name) => name.startsWith("holdfast-"))).toHaveLength(2);
  });

  test("the backend's own cookies stay beside it", async () => {
    const { set } = await client().get("/own-cookie");
    expect(set).toHaveLength(2);
    expect(set).toContain("own=1; Path=/");
  });
});

describe("plain requests and WebSockets of one session", () => {
  test("a seat from a plain answer counts for a WebSocket, and the other way round", async () => {
    for (const { client: someone, name } of await stage.seated(http, 9)) {
      expect(await someone.open("/")).toEqual({ status: 101, name, set: [] });
    }
    const names = new Set<string>();
    for (let count = 0; count < 9; count++) {
      const someone = client();
      const { name, set } = await someone.open("/");
      names.add(name);
      expect(set).toHaveLength(1);
      expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
      expect(await someone.open("/")).toEqual({ status: 101, name, set: [] });
    }
    expect(names.size).toBe(3);
  });

  test("a WebSocket that its Pod has no room for takes the seat of the session there from nobody", async () => {
    const fields = { ...AFFINITY, admission: { maxTunnelsPerBackend: 1 } };
    await stage.rule(fields);
    const other = client();
    const { name } = await other.get("/");
    const another = async () => (await stage.client(http).as(other).open("/")).name;
    await expect.poll(another, { timeout: 20_000, message: "the limit is in force" }).not.toBe(name);
    await other.open("/refused");
    expect((await other.get("/")).name).toBe(name);
  });

  test("a cookie that another one of the same name stands before counts, when that one means nobody", async () => {
    const someone = client();
    const { name } = await someone.get("/");
    const value = someone.cookies.get(COOKIE)!;
    // As browsers send them that have one for `/` and an older one for a longer path (RFC 6265 5.4).
    someone.cookies.set(COOKIE, `${"A".repeat(22)}; ${COOKIE}=${value}`);
    for (let count = 0; count < 6; count++) expect(await someone.get("/")).toEqual({ status: 200, name, set: [] });
  });

  test("what is no cookie of ours binds nobody and is replaced", async () => {
    for (const value of ["", "A".repeat(22), "A".repeat(3_000), `"${"A".repeat(22)}"`, "%00", "a=b=c"]) {
      const someone = client();
      someone.cookies.set(COOKIE, value);
      const { status, set } = await someone.get("/");
      expect([status, set.length]).toEqual([200, 1]);
      expect(someone.cookies.get(COOKIE)).toMatch(new RegExp(`^${VALUE}$`));
    }
  });
});
