import { describe, expect, test } from "vitest";
import { type AffinityPolicy, buildTable } from "../routing/index.ts";
import type { AffinityKeys } from "../upstream/index.ts";
import { readAffinity, withAffinity } from "./affinity-cookie.ts";
import { createDecider } from "./decide.ts";
import {
  Cleanups,
  closedPort,
  entry,
  handshakeHead,
  rawClient,
  type RuleOptions,
  startAnswering,
  type StartedProxy,
  startHttp,
  startProxy,
  switchHead,
} from "./proxy.fixture.ts";
import type { HeaderPair } from "./types.ts";

const COOKIE: AffinityPolicy = { cookieName: "bound", ttlMs: 0, path: "/", sameSite: "Lax", isSecure: false };
const VALUE = "AAAAAAAAAAAAAAAAAAAAA_";
const OTHER = "BBBBBBBBBBBBBBBBBBBBB-";
const KEYS: AffinityKeys = { current: Buffer.alloc(32, "k"), previous: undefined };

describe("what a request says of its backend", () => {
  test.for<{ name: string; lines: readonly string[]; want: readonly string[] }>([
    { name: "is its cookie", lines: [`bound=${VALUE}`], want: [VALUE] },
    { name: "is its cookie among others", lines: [`a=b; bound=${VALUE}; c=d`], want: [VALUE] },
    { name: "is each of two, in order", lines: [`bound=${VALUE}; bound=${OTHER}`], want: [VALUE, OTHER] },
    { name: "is what could be ours", lines: ["bound=; bound=theirs", `bound=${OTHER}`], want: [OTHER] },
    {
      name: "is no more than four",
      lines: Array.from({ length: 9 }, () => `bound=${VALUE}`),
      want: Array(4).fill(VALUE),
    },
    { name: "is nothing without a cookie", lines: [], want: [] },
    { name: "is nothing in a cookie of another name", lines: [`Bound=${VALUE}; xbound=${VALUE}`], want: [] },
    { name: "is nothing that is too short", lines: [`bound=${VALUE.slice(1)}`], want: [] },
    { name: "is nothing that is too long", lines: [`bound=${VALUE}A`], want: [] },
    { name: "is nothing in quotes", lines: [`bound="${VALUE}"`], want: [] },
    { name: "is nothing of other letters", lines: [`bound=${VALUE.slice(1)}+`], want: [] },
    { name: "is nothing in 32 KiB", lines: [`bound=${"x".repeat(32_768)}`], want: [] },
  ])("$name", ({ lines, want }) => {
    const headers = lines.map((line): HeaderPair => ["Cookie", line]);
    expect(readAffinity(headers, COOKIE)).toEqual(want);
    expect(readAffinity(headers, undefined)).toEqual([]);
  });

  test.for([
    { name: "a plain request", extra: [], want: ["forward", [VALUE]] },
    {
      name: "a handshake",
      extra: [
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Version", "13"],
        ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
      ] as const,
      want: ["tunnel", [VALUE]],
    },
  ])("is part of the decision of $name", ({ extra, want }) => {
    const tables = { current: buildTable(1, new Map([["*", [entry({ policy: { affinity: COOKIE } })]]])) };
    const decider = createDecider({ tables, pseudonym: "holdfast-00000000" });
    const facts = { method: "GET", target: "/", clientAddress: "192.0.2.7", httpVersion: "1.1" };
    const headers: HeaderPair[] = [["Host", "chat.example"], ["Cookie", `bound=${VALUE}`], ...extra];
    const decision = decider.decide({ ...facts, headers, scheme: "http" });
    expect([decision.kind, "affinity" in decision ? decision.affinity : undefined]).toEqual(want);
  });
});

describe("the cookie of an answer", () => {
  const news = { value: VALUE, isNews: true };
  const known = { value: VALUE, isNews: false };
  test.for<{ name: string; change: Partial<AffinityPolicy>; mark: typeof news; want: string | undefined }>([
    { name: "lives as long as the session", change: {}, mark: news, want: "Path=/; HttpOnly; SameSite=Lax" },
    { name: "is not sent to whoever has it", change: {}, mark: known, want: undefined },
    {
      name: "with a life is sent each time",
      change: { ttlMs: 60_000 },
      mark: known,
      want: "Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
    },
    {
      name: "lives a second at least",
      change: { ttlMs: 1 },
      mark: news,
      want: "Path=/; Max-Age=1; HttpOnly; SameSite=Lax",
    },
    {
      name: "has what the rule says",
      change: { path: "/chat", isSecure: true, sameSite: "None" },
      mark: news,
      want: "Path=/chat; HttpOnly; Secure; SameSite=None",
    },
  ])("$name", ({ change, mark, want }) => {
    const headers: HeaderPair[] = [["Set-Cookie", "app=1"]];
    const sent = withAffinity(headers, { ...COOKIE, ...change }, mark);
    expect(sent).toEqual(want === undefined ? headers : [...headers, ["Set-Cookie", `bound=${VALUE}; ${want}`]]);
  });

  test("is none, and no work, for a rule that binds nobody", () => {
    const headers: HeaderPair[] = [["A", "1"]];
    expect(withAffinity(headers, undefined, news)).toBe(headers);
    expect(withAffinity(headers, COOKIE, undefined)).toBe(headers);
  });
});

/** The lines of an answer's head that set cookies. */
function cookiesIn(answer: string): readonly string[] {
  const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
  return head.split("\r\n").flatMap((line) => /^Set-Cookie: (.*)$/i.exec(line)?.[1] ?? []);
}

/** What a client would send back of our cookie. */
function returned(answer: string): string {
  const ours = cookiesIn(answer).find((cookie) => cookie.startsWith("bound="));
  if (ours === undefined) throw new Error(`no cookie of ours in ${answer}`);
  return `Cookie: ${ours.split(";")[0] ?? ""}`;
}

const SESSION = /^bound=[A-Za-z0-9_-]{22}; Path=\/; HttpOnly; SameSite=Lax$/;

describe("through a proxy", () => {
  const REFUSAL = "HTTP/1.1 403 Forbidden\r\nSet-Cookie: app=1; Path=/\r\nContent-Length: 2\r\n\r\nno";

  /** Backends that tell themselves apart by the text of a plain answer and of a 101. */
  async function three(cleanups: Cleanups, rule: RuleOptions = {}, keys = KEYS): Promise<StartedProxy> {
    const ports = await Promise.all(
      ["one", "two", "three"].map(async (name) => {
        const { port, server } = await startHttp(cleanups, (_request, response) => {
          response.setHeader("Set-Cookie", "app=1").end(name);
        });
        server.on("upgrade", (_request, socket) => {
          socket.on("error", () => {});
          socket.on("end", () => socket.end());
          cleanups.add(() => void socket.destroy());
          socket.write(switchHead([`X-Backend: ${name}`, "Set-Cookie: app=1"]));
        });
        return port;
      }),
    );
    const entries = [entry({ ...rule, policy: { affinity: COOKIE, ...rule.policy } })];
    return startProxy(cleanups, { backends: ports, entries, affinityKeys: () => keys });
  }

  async function plain(cleanups: Cleanups, { port }: StartedProxy, extra: readonly string[] = []): Promise<string> {
    const lines = ["GET / HTTP/1.1", "Host: a.example", "Connection: close", ...extra];
    return rawClient(cleanups, port, `${lines.join("\r\n")}\r\n\r\n`).whole;
  }

  async function upgrade(cleanups: Cleanups, { port }: StartedProxy, extra: readonly string[] = []): Promise<string> {
    const client = rawClient(cleanups, port, handshakeHead(extra));
    await expect.poll(() => client.text()).toContain("\r\n\r\n");
    client.socket.end();
    return client.text();
  }

  function nameIn(answer: string): string {
    return /(one|two|three)/.exec(answer)?.[1] ?? answer;
  }

  test("a plain answer binds, and the upgrade of that session meets the same backend", async () => {
    await using cleanups = new Cleanups();
    const proxy = await three(cleanups);
    const first = await plain(cleanups, proxy);
    expect(cookiesIn(first)).toEqual(["app=1", expect.stringMatching(SESSION)]);
    const back = [returned(first)];
    for (let n = 0; n < 4; n++) {
      const answer = n % 2 === 0 ? await upgrade(cleanups, proxy, back) : await plain(cleanups, proxy, back);
      expect(nameIn(answer)).toBe(nameIn(first));
      expect(cookiesIn(answer)).toEqual(["app=1"]);
    }
  });

  test("a 101 binds, and plain requests of that session meet the same backend", async () => {
    await using cleanups = new Cleanups();
    const proxy = await three(cleanups);
    const first = await upgrade(cleanups, proxy);
    expect(first).toContain("HTTP/1.1 101 ");
    expect(cookiesIn(first)).toEqual(["app=1", expect.stringMatching(SESSION)]);
    for (let n = 0; n < 4; n++) expect(nameIn(await plain(cleanups, proxy, [returned(first)]))).toBe(nameIn(first));
  });

  test("clients without a cookie are spread", async () => {
    await using cleanups = new Cleanups();
    const proxy = await three(cleanups);
    const names = [await plain(cleanups, proxy), await upgrade(cleanups, proxy), await plain(cleanups, proxy)];
    expect(new Set(names.map(nameIn)).size).toBe(3);
  });

  test("with a life the cookie comes with every answer", async () => {
    await using cleanups = new Cleanups();
    const proxy = await three(cleanups, { policy: { affinity: { ...COOKIE, ttlMs: 90_000 } } });
    const first = await plain(cleanups, proxy);
    for (const answer of [first, await plain(cleanups, proxy, [returned(first)])]) {
      expect(cookiesIn(answer)).toContainEqual(expect.stringContaining("; Max-Age=90; "));
    }
    expect(cookiesIn(await upgrade(cleanups, proxy, [returned(first)]))).toContainEqual(
      expect.stringContaining("; Max-Age=90; "),
    );
  });

  test("edits of the rule are about what the backend says, not about the cookie", async () => {
    await using cleanups = new Cleanups();
    const edits = { set: [], add: [], remove: ["set-cookie"] };
    const proxy = await three(cleanups, { rule: { responseHeaders: edits } });
    expect(cookiesIn(await plain(cleanups, proxy))).toEqual([expect.stringMatching(SESSION)]);
    expect(cookiesIn(await upgrade(cleanups, proxy))).toEqual([expect.stringMatching(SESSION)]);
  });

  test("a refusal of the backend binds too", async () => {
    await using cleanups = new Cleanups();
    const entries = [entry({ policy: { affinity: COOKIE } })];
    const backends = [await startAnswering(cleanups, REFUSAL)];
    const proxy = await startProxy(cleanups, { backends, entries, affinityKeys: () => KEYS });
    const answer = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(cookiesIn(answer)).toEqual(["app=1; Path=/", expect.stringMatching(SESSION)]);
  });

  test("an answer of ours binds nobody", async () => {
    await using cleanups = new Cleanups();
    const entries = [entry({ policy: { affinity: COOKIE } })];
    const backends = [await closedPort()];
    const proxy = await startProxy(cleanups, { backends, entries, affinityKeys: () => KEYS });
    const answer = await rawClient(cleanups, proxy.port, handshakeHead()).whole;
    expect(answer).toContain("holdfast-error");
    expect(cookiesIn(answer)).toEqual([]);
    expect(cookiesIn(await plain(cleanups, proxy))).toEqual([]);
  });

  test.for(["plain", "upgrade"] as const)(
    "whose backend cannot be dialled gets another one, and its cookie: %s",
    async (kind) => {
      await using cleanups = new Cleanups();
      const ask = kind === "plain" ? plain : upgrade;
      const alive = await startAnswering(cleanups, switchHead());
      const web = await startHttp(cleanups, (_request, response) => void response.end("web"));
      const dead = await startHttp(cleanups, (_request, response) => void response.end("dead"));
      const backends = [dead.port, kind === "plain" ? web.port : alive];
      const entries = [entry({ policy: { affinity: COOKIE } })];
      const proxy = await startProxy(cleanups, { backends: [dead.port], entries, affinityKeys: () => KEYS });
      const old = returned(await plain(cleanups, proxy));
      proxy.setBackends(backends);
      expect(await plain(cleanups, proxy, [old])).toContain("dead");
      dead.server.closeAllConnections();
      await new Promise((resolve) => dead.server.close(resolve));
      const moved = await ask(cleanups, proxy, [old]);
      expect(moved).toMatch(kind === "plain" ? /web/ : / 101 /);
      expect(returned(moved)).not.toBe(old);
      expect(cookiesIn(await ask(cleanups, proxy, [returned(moved)]))).toEqual([]);
    },
  );

  test("without a key nobody is bound", async () => {
    await using cleanups = new Cleanups();
    const entries = [entry({ policy: { affinity: COOKIE } })];
    const backends = [await startAnswering(cleanups, switchHead())];
    const proxy = await startProxy(cleanups, { backends, entries });
    const answer = await upgrade(cleanups, proxy, [`Cookie: bound=${VALUE}`]);
    expect(answer).toContain("HTTP/1.1 101 ");
    expect(cookiesIn(answer)).toEqual([]);
  });

  test.for([
    { name: "of nobody", cookie: `bound=${VALUE}` },
    { name: "of 12 kB", cookie: `bound=${"x".repeat(12_000)}` },
    { name: "of many", cookie: "bound=;".repeat(1_700) },
    { name: "of bytes", cookie: "bound=\u00ff\u00fe" },
  ])("a cookie $name does no harm and is replaced", async ({ cookie }) => {
    await using cleanups = new Cleanups();
    const proxy = await three(cleanups);
    const answer = await upgrade(cleanups, proxy, [`Cookie: ${cookie}`]);
    expect(answer).toContain("HTTP/1.1 101 ");
    expect(cookiesIn(answer)).toContainEqual(expect.stringMatching(SESSION));
  });
});
