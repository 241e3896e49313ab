import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { afterDelay, type After, type ClusterChange } from "../controller/index.ts";
import { KubeSource, type KubeSourceOptions } from "./index.ts";
import type { WatchEnd } from "./types.ts";
import { type Asked, atEnd, clientFor, LogLines, OddServer, sendJson } from "./kube.fixture.ts";

// A real API server does none of this on demand; what it does is in test/cluster.

interface Scene {
  readonly server: OddServer;
  readonly source: KubeSource;
  readonly log: LogLines;
  readonly changes: ClusterChange[];
  readonly ends: [string, WatchEnd][];
  /** Every wait between two tries, in milliseconds; none lasts longer than 5 in truth. */
  readonly waits: number[];
  readonly abort: AbortController;
  readonly started: Promise<void>;
  readonly time: { nowMs: number };
}

type Answer = (asked: Asked, response: ServerResponse) => void;

const SERVICES = "/api/v1/services";
const GRANTS = /\/referencegrants$/;

/** Answers about Services as the test says, and about all else with empty lists and quiet watches. */
async function follow(services: Answer, options: Partial<KubeSourceOptions> = {}): Promise<Scene> {
  const server = await OddServer.start((asked, response) => {
    if (asked.url.pathname === SERVICES) return services(asked, response);
    if (GRANTS.test(asked.url.pathname)) return sendJson(response, 404, {});
    if (asked.url.searchParams.has("watch")) return response.writeHead(200).flushHeaders();
    sendJson(response, 200, listOf("5", []));
  });
  const waits: number[] = [];
  // Those that go with an open watch are in truth what they are.
  const after: After = (delayMs, run) => {
    if (delayMs === 30_000 || delayMs === 75_000 || delayMs === 5000) return afterDelay(delayMs, run);
    waits.push(delayMs);
    return afterDelay(Math.min(delayMs, 5), run);
  };
  const log = new LogLines();
  const abort = new AbortController();
  const time = { nowMs: 0 };
  const ends: [string, WatchEnd][] = [];
  const source = new KubeSource({
    api: await clientFor(server.url),
    log,
    namespaces: [],
    externalNames: "Refuse",
    after,
    now: () => time.nowMs,
    random: () => 0.5,
    observer: { watchEnded: (...end) => ends.push(end) },
    ...options,
  });
  const changes: ClusterChange[] = [];
  source.onChange((change) => changes.push(change));
  const started = source.start(abort.signal);
  atEnd(() => abort.abort());
  return { server, source, log, changes, ends, waits, abort, started, time };
}

function service(name: string, version: string, port = 80): object {
  return { metadata: { name, namespace: "apps", resourceVersion: version }, spec: { ports: [{ port }] } };
}

function listOf(version: string, items: readonly object[], more = ""): object {
  return { metadata: { resourceVersion: version, ...(more === "" ? {} : { continue: more }) }, items };
}

function event(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

const isWatch = ({ url }: Asked): boolean => url.searchParams.has("watch");
const namesIn = (source: KubeSource): readonly string[] => [...source.snapshot().list("Service").keys()].sort();
const servicesAsked = ({ server }: Scene): readonly Asked[] =>
  server.asked.filter(({ url }) => url.pathname === SERVICES);
const listsAsked = (scene: Scene): number => servicesAsked(scene).filter((asked) => !isWatch(asked)).length;

/** Lists `items[n]` the n-th time, the last of them for ever; the n-th watch is `watches[n]`, later ones stay quiet. */
function inTurn(lists: readonly object[], watches: readonly ((response: ServerResponse) => void)[] = []): Answer {
  let listed = 0;
  let watched = 0;
  return (asked, response) => {
    if (!isWatch(asked)) return sendJson(response, 200, lists[Math.min(listed++, lists.length - 1)] ?? {});
    const watch = watches[watched++];
    if (watch !== undefined && response.writeHead(200)) return watch(response);
    response.writeHead(200).flushHeaders();
  };
}

describe("after a watch ends, the list tells what is true", () => {
  const first = listOf("10", [service("a", "3"), service("b", "4")]);
  const second = listOf("20", [service("b", "4"), service("c", "12")]);

  test.for<{ name: string; cause: WatchEnd; end: (response: ServerResponse) => void }>([
    { name: "cut", cause: "lost", end: (response) => response.destroy() },
    { name: "ended in order before its time", cause: "lost", end: (response) => response.end() },
    {
      name: "an ERROR event",
      cause: "expired",
      end: (response) => response.write(event("ERROR", { kind: "Status", code: 410, reason: "Expired" })),
    },
    { name: "an ERROR event without words", cause: "lost", end: (response) => response.write(event("ERROR", {})) },
    { name: "what is no JSON", cause: "lost", end: (response) => response.write("}\n") },
    {
      name: "an event of a type that is none",
      cause: "lost",
      end: (response) => response.write(event("WHAT", service("x", "11"))),
    },
    {
      name: "an object without a version",
      cause: "lost",
      end: (response) => response.write(event("ADDED", { metadata: { name: "x" } })),
    },
    {
      name: "an event of an older version than the list's",
      cause: "rewound",
      end: (response) => response.write(event("ADDED", service("x", "9"))),
    },
    {
      name: "a bookmark of an older version",
      cause: "rewound",
      end: (response) => response.write(event("BOOKMARK", service("", "9"))),
    },
  ])("$name", async ({ cause, end }) => {
    const scene: Scene = await follow(
      inTurn([first, second], [(response) => (response.flushHeaders(), void scene.started.then(() => end(response)))]),
    );
    await scene.started;
    await expect.poll(() => namesIn(scene.source)).toEqual(["apps/b", "apps/c"]);
    expect(listsAsked(scene)).toBe(2);
    expect(scene.ends).toEqual([["Service", cause]]);
    // What did not change is not told of.
    expect(scene.changes).toEqual([
      { kind: "services", service: "apps/c" },
      { kind: "services", service: "apps/a" },
    ]);
  });

  test("but when the server ends it in its time, the next watch goes on from the last version, bookmarks included", async () => {
    const scene: Scene = await follow(
      inTurn(
        [first],
        [
          (response) => {
            response.write(event("ADDED", service("c", "11")) + event("BOOKMARK", service("", "17")));
            scene.time.nowMs += 269_500;
            setTimeout(() => response.end(), 5);
          },
        ],
      ),
    );
    await scene.started;
    await expect.poll(() => servicesAsked(scene).length).toBe(3);
    const [, one, two] = servicesAsked(scene).map(({ url }) => Object.fromEntries(url.searchParams));
    expect(one).toEqual({ watch: "1", allowWatchBookmarks: "true", resourceVersion: "10", timeoutSeconds: "270" });
    expect(two).toMatchObject({ resourceVersion: "17" });
    expect(scene.ends).toEqual([["Service", "done"]]);
    expect(namesIn(scene.source)).toEqual(["apps/a", "apps/b", "apps/c"]);
  });

  test("versions that are no numbers are taken as they come", async () => {
    const odd = (response: ServerResponse) =>
      response.write(event("ADDED", service("c", "x9")) + event("DELETED", service("a", "w1")));
    const scene = await follow(inTurn([listOf("z", [service("a", "y")])], [odd]));
    await scene.started;
    await expect.poll(() => namesIn(scene.source)).toEqual(["apps/c"]);
    expect(listsAsked(scene)).toBe(1);
  });
});

describe("a list that fails does not touch what is there", () => {
  const good = listOf("10", [service("a", "3")]);

  test("an end in the middle of its pages leaves the store; an expired page begins it again", async () => {
    let lists = 0;
    const scene = await follow((asked, response) => {
      if (isWatch(asked)) return response.writeHead(200).flushHeaders();
      lists += 1;
      if (lists === 1) return sendJson(response, 200, listOf("10", [service("a", "3")], "next"));
      if (lists === 2)
        return sendJson(response, 410, { kind: "Status", code: 410, reason: "Expired", message: "too old" });
      sendJson(response, 200, good);
    });
    await scene.started;
    const queries = servicesAsked(scene).map(({ url }) => Object.fromEntries(url.searchParams));
    // A list that takes too long is read in fewer pages.
    expect(queries.slice(0, 3)).toEqual([{ limit: "500" }, { limit: "500", continue: "next" }, { limit: "1000" }]);
    expect(namesIn(scene.source)).toEqual(["apps/a"]);
  });

  test.for<{ name: string; answer: (response: ServerResponse) => void; message: RegExp }>([
    { name: "no JSON", answer: (response) => response.end("<html>"), message: /cannot be read/ },
    { name: "no list", answer: (response) => sendJson(response, 200, { items: {} }), message: /it is no list/ },
    {
      name: "a list without a version",
      answer: (response) => sendJson(response, 200, { metadata: {}, items: [] }),
      message: /resourceVersion is missing/,
    },
    { name: "a 500", answer: (response) => sendJson(response, 500, {}), message: /answered 500/ },
    { name: "a reset", answer: (response) => response.destroy(), message: /cannot be reached/ },
  ])("$name: told as a problem until it is mended", async ({ answer, message }) => {
    let isBroken = true;
    const watches: ServerResponse[] = [];
    const scene = await follow((asked, response) => {
      if (!isWatch(asked)) return watches.length > 0 && isBroken ? answer(response) : sendJson(response, 200, good);
      response.writeHead(200).flushHeaders();
      watches.push(response);
    });
    await scene.started;
    await expect.poll(() => watches.length).toBe(1);
    expect(scene.source.problems()).toEqual([]);
    watches[0]?.destroy();
    await expect
      .poll(() => scene.source.problems())
      .toEqual([{ what: "Service", message: expect.stringMatching(message) }]);
    expect(namesIn(scene.source)).toEqual(["apps/a"]);
    await expect.poll(() => listsAsked(scene)).toBeGreaterThan(4);
    isBroken = false;
    await expect.poll(() => scene.source.problems()).toEqual([]);
    expect(scene.log.of("warn")).toEqual(["the cluster is not followed"]);
    expect(scene.log.of("info").at(-1)).toBe("the cluster is followed again");
  });
});

describe("a watch that says nothing", () => {
  const first = listOf("10", [service("a", "3")]);
  const second = listOf("20", [service("b", "12")]);
  const asks = (asked: Asked) => asked.url.searchParams.get("limit") === "1";

  test.for<{ name: string; watch: (response: ServerResponse) => void }>([
    { name: "after its head", watch: (response) => response.writeHead(200).flushHeaders() },
    { name: "not even a head", watch: () => {} },
    { name: "after an event", watch: (response) => response.writeHead(200).write(event("ADDED", service("x", "11"))) },
  ])("$name, is taken for dead", async ({ watch }) => {
    let lists = 0;
    const scene = await follow(
      (asked, response) => {
        if (isWatch(asked)) return lists === 1 ? watch(response) : response.writeHead(200).flushHeaders();
        // Whether something else was stored that has nothing to do with Services is not known.
        if (asks(asked)) return sendJson(response, 200, listOf("15", []));
        sendJson(response, 200, [first, second][lists++] ?? second);
      },
      { silenceMs: 300, now: () => performance.now() },
    );
    await scene.started;
    await expect.poll(() => namesIn(scene.source)).toEqual(["apps/b"]);
    expect(scene.ends[0]).toEqual(["Service", "silent"]);
    expect(scene.log.lines).toContainEqual(
      expect.objectContaining({ fields: { resource: "Service", reason: "the watch has said nothing for 0.3 s" } }),
    );
  });

  test("is well as long as nothing is stored", async () => {
    const scene = await follow(
      (asked, response) => {
        if (isWatch(asked)) return response.writeHead(200).flushHeaders();
        sendJson(response, 200, listOf("10", []));
      },
      { silenceMs: 300, now: () => performance.now() },
    );
    await scene.started;
    await expect.poll(() => servicesAsked(scene).filter(asks).length, { timeout: 5000 }).toBeGreaterThan(6);
    expect(listsAsked(scene) - servicesAsked(scene).filter(asks).length).toBe(1);
    expect(servicesAsked(scene).filter(isWatch)).toHaveLength(1);
  });

  test("while what is stored went back, is not waited for", async () => {
    let lists = 0;
    const scene = await follow(
      (asked, response) => {
        if (isWatch(asked)) return response.writeHead(200).flushHeaders();
        sendJson(response, 200, lists++ === 0 ? first : listOf("4", [service("older", "2")]));
      },
      { silenceMs: 4000, now: () => performance.now() },
    );
    await scene.started;
    await expect.poll(() => namesIn(scene.source), { timeout: 3500 }).toEqual(["apps/older"]);
  });
});

describe("waiting between tries", () => {
  /** Without the longer ones of the kind that is not served. */
  const backOffs = (waits: readonly number[]): readonly number[] => waits.filter((ms) => ms <= 10_000);

  test("doubles from a quarter of a second to ten, with half of it by chance", async () => {
    const scene = await follow((_, response) => sendJson(response, 500, {}));
    await expect.poll(() => backOffs(scene.waits).length).toBeGreaterThanOrEqual(9);
    const expected = [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000].map((ms) => ms * 0.75);
    expect(backOffs(scene.waits).slice(0, 9)).toEqual(expected);
  });

  test("is as long as the server asks, up to a minute", async () => {
    let tries = 0;
    const scene = await follow((_, response) => {
      const seconds = ["7", "3600"][tries++];
      if (seconds === undefined) return sendJson(response, 200, listOf("1", []));
      sendJson(response, 429, {}, { "retry-after": seconds });
    });
    await scene.started;
    expect(scene.waits).toContain(7000);
    expect(scene.waits).toContain(60_000);
    expect(Math.max(...scene.waits)).toBe(60_000);
  });

  test("grows with watches that end at once although lists succeed, and that is told", async () => {
    const scene = await follow((asked, response) =>
      isWatch(asked)
        ? sendJson(response, 403, { kind: "Status", message: "no watch" })
        : sendJson(response, 200, listOf("1", [])),
    );
    await scene.started;
    await expect.poll(() => backOffs(scene.waits)).toContain(7500);
    expect(scene.source.problems()).toEqual([
      { what: "Service", message: expect.stringMatching(/verbs list and watch.*no watch/) },
    ]);
    expect(scene.log.of("warn")).toHaveLength(1);
  });

  test("that a watch was refused is over when one lasts, although it says nothing", async () => {
    let refused = 0;
    const scene = await follow(
      (asked, response) => {
        if (!isWatch(asked)) return sendJson(response, 200, listOf("1", []));
        if (refused++ < 4) return sendJson(response, 403, {});
        response.writeHead(200).flushHeaders();
      },
      { after: (delayMs, run) => afterDelay(delayMs > 5000 ? delayMs : delayMs / 50, run) },
    );
    await expect.poll(() => scene.source.problems()).toHaveLength(1);
    await expect.poll(() => scene.source.problems(), { timeout: 5000 }).toEqual([]);
  });

  test("begins anew after a watch that was well for a minute", async () => {
    const scene: Scene = await follow((asked, response) => {
      if (!isWatch(asked)) return sendJson(response, 200, listOf("1", []));
      scene.time.nowMs += 60_000;
      response.destroy();
    });
    await scene.started;
    await expect.poll(() => backOffs(scene.waits).length).toBeGreaterThan(6);
    expect(new Set(backOffs(scene.waits))).toEqual(new Set([187.5]));
  });
});

test("a page that is too large is asked for with half as many objects", async () => {
  const scene = await follow((asked, response) => {
    if (isWatch(asked)) return response.writeHead(200).flushHeaders();
    if (Number(asked.url.searchParams.get("limit")) <= 125) return sendJson(response, 200, listOf("1", []));
    response.writeHead(200);
    const block = " ".repeat(2 ** 20);
    const more = (): void => {
      while (!response.destroyed) if (!response.write(block)) return void response.once("drain", more);
    };
    more();
  });
  await scene.started;
  const limits = servicesAsked(scene).map(({ url }) => url.searchParams.get("limit"));
  expect(limits.slice(0, 3)).toEqual(["500", "250", "125"]);
});

test("items that are no objects, and names that come twice, harm nothing", async () => {
  const scene = await follow(
    inTurn([listOf("1", [service("a", "1"), null, 7, {}, service("a", "1", 81)] as object[])]),
  );
  await scene.started;
  expect(namesIn(scene.source)).toEqual(["apps/a"]);
});

test("an object that is deleted and made again within one chunk is told of once, as it is in the end", async () => {
  const watch = (response: ServerResponse) => {
    response.write(
      event("DELETED", service("a", "11")) +
        event("ADDED", service("a", "12", 81)) +
        event("ADDED", service("b", "13")) +
        event("DELETED", service("b", "14")),
    );
  };
  const scene: Scene = await follow(
    inTurn([listOf("10", [service("a", "1")])], [(response) => void scene.started.then(() => watch(response))]),
  );
  await scene.started;
  await expect.poll(() => scene.changes).toEqual([{ kind: "services", service: "apps/a" }]);
  expect(scene.source.snapshot().list("Service").get("apps/a")).toMatchObject({ spec: { ports: [{ port: 81 }] } });
  expect(namesIn(scene.source)).toEqual(["apps/a"]);
});

test("without its CRD the source says what is missing, waits, and begins when it is there", async () => {
  let isInstalled = false;
  const server = await OddServer.start((asked, response) => {
    const { pathname } = asked.url;
    if (GRANTS.test(pathname) || (pathname.endsWith("/websocketroutes") && !isInstalled))
      return sendJson(response, 404, {});
    if (isWatch(asked)) return response.writeHead(200).flushHeaders();
    sendJson(response, 200, listOf("1", []));
  });
  const log = new LogLines();
  const source = new KubeSource({
    api: await clientFor(server.url),
    log,
    namespaces: [],
    externalNames: "Refuse",
    after: (ms, run) => afterDelay(ms > 20_000 ? ms : Math.min(ms, 5), run),
  });
  const abort = new AbortController();
  atEnd(() => abort.abort());
  let isStarted = false;
  const started = source.start(abort.signal).then(() => (isStarted = true));
  await expect
    .poll(() => source.problems())
    .toEqual([
      { what: "WebSocketRoute", message: expect.stringMatching(/^the CRD of WebSocketRoute is not installed: .*crds/) },
    ]);
  await expect
    .poll(() => server.asked.filter(({ url }) => url.pathname.endsWith("/websocketroutes")).length)
    .toBeGreaterThan(5);
  expect(isStarted).toBe(false);
  isInstalled = true;
  await started;
  expect(source.problems()).toEqual([]);
  expect(log.of("warn")).toHaveLength(1);
});

test("a kind that is not served any more: its objects stay at first, since a starting server may not know it yet", async () => {
  const grants = listOf("10", [{ metadata: { name: "g", namespace: "apps", resourceVersion: "1" }, spec: {} }]);
  const watches: ServerResponse[] = [];
  let known = 1;
  let missing = 0;
  const server = await OddServer.start((asked, response) => {
    const isGrant = GRANTS.test(asked.url.pathname);
    if (isGrant && !asked.url.pathname.includes("/v1/")) return sendJson(response, 404, {});
    if (isWatch(asked)) {
      response.writeHead(200).flushHeaders();
      return void (isGrant && watches.push(response));
    }
    if (!isGrant) return sendJson(response, 200, listOf("1", []));
    if (known-- > 0) return sendJson(response, 200, grants);
    missing += 1;
    sendJson(response, 404, {});
  });
  const answers: (() => void)[] = [];
  const source = new KubeSource({
    api: await clientFor(server.url),
    log: new LogLines(),
    namespaces: [],
    externalNames: "Refuse",
    // Between two questions it waits until the test says so.
    after: (ms, run) => (ms < 20_000 && ms > 10_000 ? (answers.push(run), () => {}) : afterDelay(ms, run)),
  });
  const abort = new AbortController();
  atEnd(() => abort.abort());
  await source.start(abort.signal);
  const names = () => [...source.snapshot().list("ReferenceGrant").keys()];
  await expect.poll(() => watches.length).toBe(1);
  watches[0]?.destroy();
  await expect.poll(() => answers.length).toBe(1);
  expect([missing, names()]).toEqual([1, ["apps/g"]]);
  answers[0]?.();
  await expect.poll(names).toEqual([]);
  expect(source.problems()).toEqual([]);
  known = 1;
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.();
  await expect.poll(names).toEqual(["apps/g"]);
});

test("the signal ends everything: no timer and no socket stays, and start resolves", async () => {
  let timers = 0;
  const after: After = (delayMs, run) => {
    timers += 1;
    let isOver = false;
    const end = (): void => {
      if (!isOver) timers -= 1;
      isOver = true;
    };
    const cancel = afterDelay(delayMs, () => (end(), run()));
    return () => (end(), cancel());
  };
  const scene = await follow((_, response) => sendJson(response, 500, {}), { after });
  await expect.poll(() => scene.source.problems()).toHaveLength(1);
  expect(timers).toBeGreaterThan(0);
  scene.abort.abort();
  await scene.started;
  await expect.poll(() => timers).toBe(0);
  const asked = scene.server.asked.length;
  await new Promise((resolve) => setImmediate(resolve));
  expect(scene.server.asked).toHaveLength(asked);
});
