import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AFFINITY, AffinityStage, COOKIE, podOf } from "./fixtures/affinity-stage.ts";
import { BrowserClient, isBrowserMissing, launchBrowser } from "./fixtures/browser-clients.ts";
import { homesOf, SessionBackend } from "./fixtures/session-backend.ts";

const UPGRADING = ["polling", "websocket"];
const POLLING = ["polling"];

describe.skipIf(isBrowserMissing)("socket.io in Chromium, while Pods come and go", () => {
  let browser: Browser;
  let stage: AffinityStage;
  let http: string;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    stage = await AffinityStage.open(await SessionBackend.startAll(["a", "b", "c"]));
    for (const backend of stage.backends) stage.stack.use(backend);
    ({ http } = await stage.serve());
  });
  afterEach(async () => {
    await stage[Symbol.asyncDispose]();
  });

  /** A client of each kind on each of the three backends. */
  async function crowd(): Promise<readonly BrowserClient[]> {
    const seats = await seatsOf();
    const kinds = [POLLING, UPGRADING].flatMap((kind) => seats.map((seat) => ({ kind, seat })));
    const clients = await Promise.all(
      kinds.map(async ({ kind, seat }) => {
        const client = await opened();
        await client.keep(COOKIE, seat);
        return connected(client, kind);
      }),
    );
    expect(await homes(clients)).toEqual(["a", "b", "c", "a", "b", "c"]);
    return clients;
  }

  /** The cookie of each backend, as clients without one are given it. */
  async function seatsOf(): Promise<readonly string[]> {
    const clients = await stage.seated(http, 9);
    const seats = new Map(clients.map(({ client, name }) => [name, client.cookies.get(COOKIE)!]));
    return stage.backends.map(({ name }) => seats.get(name)!);
  }

  function opened(): Promise<BrowserClient> {
    return BrowserClient.open(browser, http, "socket.io.js").then((client) => stage.stack.use(client));
  }

  async function connected(client: BrowserClient, transports: readonly string[]): Promise<BrowserClient> {
    await client.connect(transports);
    await expect.poll(() => client.transport(), { timeout: 20_000 }).toBe(transports.at(-1));
    return client;
  }

  /** As many that come without a cookie. */
  async function fresh(count: number): Promise<readonly BrowserClient[]> {
    return Promise.all(Array.from({ length: count }, async () => connected(await opened(), UPGRADING)));
  }

  async function homes(clients: readonly BrowserClient[]): Promise<readonly string[]> {
    return Promise.all(clients.map((client) => client.ask("who?")));
  }

  async function cookies(clients: readonly BrowserClient[]): Promise<readonly (string | undefined)[]> {
    return Promise.all(clients.map((client) => client.cookie(COOKIE)));
  }

  async function connects(clients: readonly BrowserClient[]): Promise<readonly number[]> {
    return Promise.all(clients.map((client) => client.connects()));
  }

  async function comeAnew(clients: readonly BrowserClient[]): Promise<void> {
    await Promise.all(clients.map((client) => client.leave().then(() => client.comeBack())));
  }

  test("a Pod that terminates keeps its clients until it is gone; then they move, once, with a new cookie", async () => {
    const clients = await crowd();
    const before = await homes(clients);
    const had = await cookies(clients);
    await stage.list(stage.all().map((pod) => (pod.uid === "uid-of-a" ? { ...pod, state: "terminating" } : pod)));
    expect(await homes(clients), "goes on").toEqual(before);
    expect(await connects(clients)).toEqual(clients.map(() => 1));
    await comeAnew(clients);
    expect(await homes(clients), "comes back").toEqual(before);
    expect(await homes(await fresh(2)), "others do not come").not.toContain("a");
    const a = stage.backends[0]!;
    await stage.list(stage.all().slice(1));
    await a[Symbol.asyncDispose]();
    await expect.poll(async () => homes(clients).catch(() => []), { timeout: 20_000 }).toHaveLength(clients.length);
    const after = await homes(clients);
    const now = await cookies(clients);
    for (const [index, home] of before.entries()) {
      if (home === "a") {
        expect(after[index]).toMatch(/^[bc]$/);
        expect(now[index]).not.toBe(had[index]);
      } else {
        expect(after[index]).toBe(home);
        expect(now[index]).toBe(had[index]);
      }
    }
    expect(await connects(clients)).toEqual(before.map((home) => (home === "a" ? 3 : 2)));
  });

  test("nobody who is bound moves to a Pod that comes; who is new goes there", async () => {
    const clients = await crowd();
    const before = await homes(clients);
    const had = await cookies(clients);
    const d = stage.stack.use(await SessionBackend.start("d"));
    await stage.list([...stage.all(), podOf(d)]);
    await comeAnew(clients);
    expect(await homes(clients)).toEqual(before);
    expect(await cookies(clients)).toEqual(had);
    expect(await homes(await fresh(4))).toContain("d");
  });

  test("a Pod made anew on the same address is another one: who was there before gets a new cookie, and a session", async () => {
    const clients = await crowd();
    const had = await cookies(clients);
    await Promise.all(clients.map((client) => client.leave()));
    const a = stage.backends[0]!;
    await a[Symbol.asyncDispose]();
    const anew = stage.stack.use(await SessionBackend.start("anew", a.port));
    await stage.list([podOf(anew), ...stage.all().slice(1)]);
    await Promise.all(clients.map((client) => client.comeBack()));
    const after = await homes(clients);
    expect(after).toEqual([expect.any(String), "b", "c", expect.any(String), "b", "c"]);
    expect(await homes(clients)).toEqual(after);
    const now = await cookies(clients);
    expect(now.map((cookie, index) => cookie === had[index])).toEqual([false, true, true, false, true, true]);
  });

  test("with onBackendRemoval Close a Pod that terminates is left by its clients at once", async () => {
    await stage.rule({ ...AFFINITY, drain: { onBackendRemoval: "Close", within: "1s" } });
    const clients = await crowd();
    await stage.list(stage.all().map((pod) => (pod.uid === "uid-of-a" ? { ...pod, state: "terminating" } : pod)));
    await expect.poll(async () => homes(clients).catch(() => ["a"]), { timeout: 20_000 }).not.toContain("a");
  });

  test("a session on a Pod that may take no more tunnels goes on by polling", async () => {
    await stage.rule({ ...AFFINITY, admission: { maxTunnelsPerBackend: 1 } });
    const client = await connected(await opened(), UPGRADING);
    const home = await client.ask("who?");
    const cookie = (await client.cookie(COOKIE))!;
    const other = await opened();
    await other.keep(COOKIE, cookie);
    await other.connect(UPGRADING);
    const strayed = async () => [...(await homesOf(stage.backends)).values()].filter(({ size }) => size > 1).length;
    await expect.poll(strayed, { timeout: 20_000, message: "its upgrade went elsewhere" }).toBe(1);
    for (let message = 0; message < 20; message++) expect(await other.ask(String(message))).toBe(home);
    expect(await other.cookie(COOKIE)).toBe(cookie);
    expect(await other.connects()).toBe(1);
  });
});
