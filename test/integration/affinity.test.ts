import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ArticleBackend } from "./fixtures/article-backend.ts";
import { HoldfastProcess, serveFolder } from "./fixtures/holdfast.ts";
import { endpoints, type Manifest, ManifestFolder, route, service } from "./fixtures/manifests.ts";

const FIRST = "the first key, of 32 bytes or more";
const SECOND = "the second key, of 32 bytes or more";
const AFFINITY = { cookie: { name: "bound" } };

let backends: readonly ArticleBackend[];
let folder: ManifestFolder;
let keys: string;
const running: HoldfastProcess[] = [];
const sockets = new Set<WebSocket>();

beforeEach(async () => {
  backends = await Promise.all([0, 0, 0].map((port) => ArticleBackend.start(port)));
  folder = await ManifestFolder.create({
    "routes.yaml": [service("chat", 80), route("chat").to("chat", 80).inTurn().with({ affinity: AFFINITY }).manifest()],
    "endpoints.yaml": pods("a", "b", "c"),
  });
  keys = await mkdtemp(join(tmpdir(), "holdfast-keys-"));
  await writeKey("current", FIRST);
});

afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets.clear();
  for (const holdfast of running.splice(0)) await holdfast[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
  await rm(keys, { recursive: true });
  for (const backend of backends) await backend[Symbol.asyncDispose]();
});

/** Pods of these UIDs on the addresses of the backends. */
function pods(...uids: readonly string[]): readonly Manifest[] {
  const slices = endpoints(
    "chat",
    backends.map(({ port }) => port),
  );
  return slices.map((slice, index) => {
    const [one] = slice["endpoints"] as readonly Manifest[];
    const targetRef = { kind: "Pod", namespace: "apps", name: uids[index], uid: uids[index] };
    return { ...slice, endpoints: [{ ...one, targetRef }] };
  });
}

async function writeKey(name: "current" | "previous", text: string): Promise<void> {
  await writeFile(join(keys, ".next"), `${text}\n`);
  await rename(join(keys, ".next"), join(keys, name));
}

async function serve(
  args: readonly string[] = ["--affinity-key", keys],
): Promise<{ http: string; holdfast: HoldfastProcess }> {
  const { http, holdfast } = await serveFolder(folder.path, { args });
  running.push(holdfast);
  return { http, holdfast };
}

interface Answer {
  readonly port: number;
  /** What the client has to send from now on; undefined = what it has. */
  readonly cookie: string | undefined;
}

function cookieIn(lines: readonly string[]): string | undefined {
  return lines.find((line) => line.startsWith("bound="))?.split(";")[0];
}

async function plain(http: string, cookie = ""): Promise<Answer> {
  const response = await fetch(`http://${http}/`, { headers: { cookie } });
  const port = Number((await response.text()).trim().split(" ").at(-1));
  return { port, cookie: cookieIn(response.headers.getSetCookie()) };
}

async function upgraded(http: string, cookie = ""): Promise<Answer> {
  const before = backends.map(({ handshakes }) => handshakes.length);
  const socket = new WebSocket(`ws://${http}/`, { headers: { cookie } });
  sockets.add(socket);
  socket.on("error", () => {});
  const [[response]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as [[IncomingMessage], []];
  const at = backends.findIndex(({ handshakes }, index) => handshakes.length > before[index]!);
  return { port: backends[at]!.port, cookie: cookieIn(response.headers["set-cookie"] ?? []) };
}

describe("two processes that share only the key", () => {
  test("bring a session back to its backend, over a rotation, until its Pod is made anew", async () => {
    const [one, other] = await Promise.all([serve(), serve()]);
    const first = await plain(one.http);
    const session = first.cookie!;
    for (const { http } of [one, other, one, other]) {
      expect(await plain(http, session)).toEqual({ port: first.port, cookie: undefined });
      expect(await upgraded(http, session)).toEqual({ port: first.port, cookie: undefined });
    }

    const isAnother = (line: { msg?: string }): boolean => line.msg === "the affinity key is another now";
    await writeKey("previous", FIRST);
    await writeKey("current", SECOND);
    await Promise.all([one, other].map(({ holdfast }) => holdfast.line(isAnother)));
    await expect.poll(async () => (await plain(other.http, session)).cookie).toBeDefined();
    const renewed = await upgraded(other.http, session);
    expect(renewed).toEqual({ port: first.port, cookie: expect.not.stringMatching(session) });
    await expect.poll(async () => plain(one.http, renewed.cookie)).toEqual({ port: first.port, cookie: undefined });

    const at = backends.findIndex(({ port }) => port === first.port);
    await folder.write("endpoints.yaml", pods(...["a", "b", "c"].map((uid, index) => (index === at ? "new" : uid))));
    await expect.poll(async () => (await plain(one.http, renewed.cookie)).cookie).toBeDefined();
    const moved = await upgraded(one.http, renewed.cookie);
    expect(moved.cookie).toBeDefined();
    await expect.poll(async () => plain(other.http, moved.cookie)).toEqual({ port: moved.port, cookie: undefined });
    expect(JSON.stringify([one.holdfast.log, other.holdfast.log])).not.toMatch(/first key|second key|bound=/);
  });
});

test("without a key the route says so, and is served without a cookie", async () => {
  const { http, holdfast } = await serve([]);
  const line = await holdfast.line(({ reason }) => reason === "AffinityWithoutKey");
  expect(line).toMatchObject({ route: "apps/chat", message: expect.stringContaining("spec.rules[0].affinity") });
  const answers = [await plain(http), await upgraded(http), await plain(http)];
  expect(answers.map(({ cookie }) => cookie)).toEqual([undefined, undefined, undefined]);
  expect(new Set(answers.map(({ port }) => port)).size).toBe(3);
});

test.for([
  { name: "that is missing", flag: () => "/nowhere/at/all", says: "names nothing that exists" },
  { name: "that is no path but a key", flag: () => SECOND, says: "not the key itself" },
  { name: "that is too short", flag: () => keys, text: "short", says: "must have 32 or more" },
])("a key $name ends the start with words that do not hold it", async ({ flag, text, says }) => {
  if (text !== undefined) await writeKey("current", text);
  const args = ["serve", "--source", "files", "--dir", folder.path, "--http", "127.0.0.1:0", "--admin", "off"];
  const holdfast = new HoldfastProcess([...args, "--affinity-key", flag()], {});
  running.push(holdfast);
  expect(await holdfast.exit()).toMatchObject({ code: 2 });
  await expect.poll(() => holdfast.stderr.join("\n")).toContain(says);
  expect(holdfast.text()).not.toContain(SECOND);
});
