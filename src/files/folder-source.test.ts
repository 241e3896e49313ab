import { open, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import type { ClusterObject } from "../controller/index.ts";
import {
  LogLines,
  type Watched,
  becomes,
  broken,
  config,
  configs,
  hosts,
  newFolder,
  problems,
  route,
  service,
  watch,
  watched,
} from "./folder-source.fixture.ts";
import { FolderSource } from "./index.ts";

describe("the first reading", () => {
  test("takes YAML and JSON, several documents, Lists and subfolders, and leaves the rest", async () => {
    const world = await watched({
      "a.yaml": `${route("chat")}---\n${service("chat")}`,
      "b.yml": config("b"),
      "c.json": JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { value: "x" } }),
      "list.yaml": `kind: List\napiVersion: v1\nitems:\n- ${config("l").trimEnd().replaceAll("\n", "\n  ")}\n`,
      "sub/deeper/d.yaml": config("d"),
      "readme.txt": "not a manifest",
      ".hidden.yaml": config("hidden"),
      ".git/e.yaml": config("e"),
      "other.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n",
      "empty.yaml": "",
    });
    expect(hosts(world)).toEqual(["chat.example.com"]);
    expect([...world.source.snapshot().list("Service").keys()]).toEqual(["apps/chat"]);
    expect(configs(world)).toEqual(["default/b=x", "default/c=x", "default/d=x", "default/l=x"]);
    expect(problems(world)).toEqual([]);
    expect(world.changes).toEqual([]);
    expect(world.log.of("debug")).toEqual([{ file: "other.yaml", kind: "apps/v1 Deployment" }]);
  });

  test("of a folder that does not exist is an error in words", async () => {
    const source = new FolderSource({ folder: "/nowhere/manifests", log: new LogLines() });
    await expect(source.start(new AbortController().signal)).rejects.toThrow(
      "folder /nowhere/manifests does not exist",
    );
  });

  test("of a file is an error in words", async () => {
    const folder = await newFolder();
    await folder.write("a.yaml", config("a"));
    const source = new FolderSource({ folder: folder.at("a.yaml"), log: new LogLines() });
    await expect(source.start(new AbortController().signal)).rejects.toThrow("a folder of manifests is needed");
  });

  test("folders that are too deep, and links that lead back up, are told of and not followed", async () => {
    const folder = await newFolder();
    const deep = Array.from({ length: 10 }, (_, i) => `d${i}`).join("/");
    await folder.write(`${deep}/a.yaml`, config("deep"));
    await folder.write("sub/b.yaml", config("b"));
    await symlink("..", folder.at("sub/up"));
    const world = await watch(folder);
    expect(configs(world)).toEqual(["default/b=x"]);
    expect(problems(world)).toEqual([
      "d0/d1/d2/d3/d4/d5/d6/d7/d8:0 is more than 8 folders deep; it is not read",
      "sub/up:0 is a link to a folder above it; it is not followed",
    ]);
  });

  test("what cannot be read is a problem and harms nothing else", async () => {
    const folder = await newFolder();
    await folder.write("a.yaml", config("a"));
    await folder.write("latin.yaml", "");
    await writeFile(folder.at("latin.yaml"), Buffer.from([0x61, 0x3a, 0x20, 0xe4, 0x0a]));
    await symlink("loop.yaml", folder.at("loop.yaml"));
    await symlink("nowhere", folder.at("nowhere.yaml"));
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(folder.at("socket.yaml"), resolve));
    const huge = await open(folder.at("huge.yaml"), "w");
    await huge.truncate(65 * 1024 * 1024);
    await huge.close();
    const world = await watch(folder);
    expect(configs(world)).toEqual(["default/a=x"]);
    const kept = "; what this file said last stays in force";
    expect(problems(world)).toEqual([
      `huge.yaml:0 must not exceed 64 MiB${kept}`,
      `latin.yaml:0 must be UTF-8${kept}`,
      expect.stringMatching(/^loop\.yaml:0 cannot be read: ELOOP/),
      `nowhere.yaml:0 is a link that leads nowhere${kept}`,
      `socket.yaml:0 is neither a file nor a folder${kept}`,
    ]);
  });

  test("a file that cannot be read any more keeps what it said", async () => {
    const world = await watched({ "a.yaml": config("a") });
    // Whoever runs this: root may read what others may not, but nobody can follow a link to itself.
    await symlink("a.yaml", world.folder.at(".loop"));
    await rename(world.folder.at(".loop"), world.folder.at("a.yaml"));
    await becomes(() => problems(world).length, 1);
    expect(problems(world)[0]).toContain("ELOOP");
    expect(configs(world)).toEqual(["default/a=x"]);
  });
});

test("a file takes the place of a folder, whose objects go with it", async () => {
  const world = await watched({ "team/a.yaml": config("a"), "b.yaml": config("b") });
  await rm(world.folder.at("team"), { recursive: true });
  await world.folder.write("team", "no manifest");
  await becomes(() => configs(world), ["default/b=x"]);
});

test("what a message quotes of a file is bounded", async () => {
  const world = await watched({ "a.yaml": `kind: ${"K".repeat(100_000)}\n` });
  expect(JSON.stringify(world.log.lines).length).toBeLessThan(3000);
});

describe("mistakes", () => {
  test("a file that does not parse keeps all its objects, and is told of once with its line", async () => {
    const world = await watched({ "a.yaml": `${config("a")}---\n${config("b")}`, "c.yaml": config("c") });
    await world.folder.replace("a.yaml", `${config("a", "new")}---\n${broken}`);
    await becomes(() => problems(world).length, 1);
    expect(problems(world)[0]).toMatch(/^a\.yaml:7 .*; what this file said last stays in force$/);
    expect(configs(world)).toEqual(["default/a=x", "default/b=x", "default/c=x"]);
    await world.folder.replace("a.yaml", `# moved\n${config("a", "new")}---\n${broken}`);
    await becomes(() => problems(world)[0]?.slice(0, 9), "a.yaml:8 ");
    expect(world.log.of("warn")).toHaveLength(1);
    await world.folder.replace("a.yaml", config("a", "new"));
    await becomes(() => configs(world), ["default/a=new", "default/c=x"]);
    expect(problems(world)).toEqual([]);
    expect(world.log.of("info")).toEqual([{ file: "a.yaml" }]);
  });

  test("a broken file at the start is told of, and the others are read", async () => {
    const world = await watched({ "a.yaml": broken, "b.yaml": config("b") });
    expect(configs(world)).toEqual(["default/b=x"]);
    expect(world.log.of("warn")).toMatchObject([{ file: "a.yaml", line: 2 }]);
  });

  test("an object that breaks its schema keeps its last good version, and the others of its file are taken", async () => {
    const world = await watched({ "a.yaml": `${route("chat")}---\n${config("a")}` });
    const bad = route("chat", "new.example.com", "    timeouts: {idle: soon}\n");
    await world.folder.replace("a.yaml", `${config("a", "new")}---\n${bad}`);
    await becomes(() => configs(world), ["default/a=new"]);
    expect(hosts(world)).toEqual(["chat.example.com"]);
    expect(problems(world)).toHaveLength(1);
    expect(problems(world)[0]).toMatch(/^a\.yaml:6 WebSocketRoute apps\/chat: spec\.rules\[0\]\.timeouts\.idle: /);
    await world.folder.replace("a.yaml", `${config("a", "new")}---\n${route("chat", "new.example.com")}`);
    await becomes(() => hosts(world), ["new.example.com"]);
    expect(problems(world)).toEqual([]);
  });

  test("a broken object that was never good is just not there; deleting it mends", async () => {
    const world = await watched({
      "a.yaml": `${route("bad", "x.example.com", "    nonsense: 1\n")}---\n${route("good")}`,
    });
    expect(hosts(world)).toEqual(["good.example.com"]);
    expect(problems(world)).toEqual(["a.yaml:1 WebSocketRoute apps/bad: spec.rules[0].nonsense: unknown field"]);
    await world.folder.replace("a.yaml", route("good"));
    await becomes(() => problems(world), []);
  });

  test("while a document has no name, no object of its file is taken for deleted", async () => {
    const world = await watched({ "a.yaml": `${config("a")}---\n${config("b")}` });
    await world.folder.replace("a.yaml", `${config("a", "new")}---\nkind: ConfigMap\napiVersion: v1\n`);
    await becomes(() => configs(world), ["default/a=new", "default/b=x"]);
    await world.folder.replace("a.yaml", config("a", "new"));
    await becomes(() => configs(world), ["default/a=new"]);
  });

  test("of two files that define the same object the first by path counts, and the other is told", async () => {
    const world = await watched({ "b.yaml": config("a", "b"), "c.yaml": `${config("c")}---\n${config("a", "c")}` });
    expect(configs(world)).toEqual(["default/a=b", "default/c=x"]);
    expect(problems(world)).toEqual([
      "c.yaml:6 ConfigMap default/a: is defined in b.yaml already; this one is not used",
    ]);
    await world.folder.write("a.yaml", config("a", "a"));
    await becomes(() => configs(world), ["default/a=a", "default/c=x"]);
    expect(problems(world).map((text) => text.split(" ")[0])).toEqual(["b.yaml:1", "c.yaml:6"]);
    await unlink(world.folder.at("a.yaml"));
    await becomes(() => configs(world), ["default/a=b", "default/c=x"]);
    await unlink(world.folder.at("b.yaml"));
    await becomes(() => configs(world), ["default/a=c", "default/c=x"]);
    expect(problems(world)).toEqual([]);
  });

  test("of two in one file the first counts", async () => {
    const world = await watched({ "a.yaml": `${config("a", "one")}---\n${config("a", "two")}` });
    expect(configs(world)).toEqual(["default/a=one"]);
    expect(problems(world)).toEqual([
      "a.yaml:6 ConfigMap default/a: is defined on line 1 already; this one is not used",
    ]);
  });
});

describe("external names", () => {
  const external = (host: string): string =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: chat, namespace: apps}\nspec: {type: ExternalName, externalName: ${host}}\n`;
  const addresses = ({ source }: Watched): string[] =>
    source
      .snapshot()
      .slicesOf("apps/chat")
      .flatMap((object) => (object as { endpoints: { addresses: string[] }[] }).endpoints)
      .flatMap((endpoint) => endpoint.addresses);

  test("are there with the first reading, follow DNS, and tell where the Service stands when it fails", async () => {
    const answers: Record<string, string[]> = { "chat.internal": ["10.0.0.1"] };
    const resolve = (host: string): Promise<{ address: string }[]> =>
      answers[host] === undefined
        ? Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }))
        : Promise.resolve(answers[host].map((address) => ({ address })));
    const world = await watched(
      { "a.yaml": `${config("a")}---\n${external("chat.internal")}` },
      { resolve, dnsIntervalMs: 10 },
    );
    expect(addresses(world)).toEqual(["10.0.0.1"]);
    answers["chat.internal"] = ["10.0.0.2", "10.0.0.3"];
    await becomes(() => addresses(world), ["10.0.0.2", "10.0.0.3"]);
    expect(world.changes).toEqual([{ kind: "endpoints", service: "apps/chat" }]);
    delete answers["chat.internal"];
    await becomes(
      () => problems(world),
      ["a.yaml:6 Service apps/chat: externalName chat.internal does not resolve: ENOTFOUND"],
    );
    expect(addresses(world)).toEqual(["10.0.0.2", "10.0.0.3"]);
    await world.folder.write("a.yaml", external("127.0.0.9"));
    await becomes(() => addresses(world), ["127.0.0.9"]);
    expect(problems(world)).toEqual([]);
    await unlink(world.folder.at("a.yaml"));
    await becomes(() => addresses(world), []);
    expect(world.source.snapshot().list("EndpointSlice").size).toBe(0);
  });
});

test("5,000 files are read, and one edit among them is one change", async () => {
  const folder = await newFolder();
  for (let i = 0; i < 5000; i++) await folder.write(`app-${i}.yaml`, `${route(`app-${i}`)}---\n${service(`app-${i}`)}`);
  const startedMs = performance.now();
  const world = await watch(folder);
  const loadMs = performance.now() - startedMs;
  expect(world.source.snapshot().list("WebSocketRoute").size).toBe(5000);
  const heard = new Promise<number>((resolve) => world.source.onChange(() => resolve(performance.now())));
  const editedMs = performance.now();
  await folder.replace("app-777.yaml", `${route("app-777", "edited.example.com")}---\n${service("app-777")}`);
  const tookMs = (await heard) - editedMs;
  expect(world.changes).toEqual([{ kind: "routes" }]);
  const object = world.source.snapshot().list("WebSocketRoute").get("apps/app-777") as ClusterObject;
  expect(object).toMatchObject({ spec: { hostnames: ["edited.example.com"] } });
  process.stdout.write(`5,000 files in ${loadMs.toFixed(0)} ms; one edit heard after ${tookMs.toFixed(1)} ms\n`);
});
