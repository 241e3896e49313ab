import { appendFile, mkdir, mkdtemp, open, readdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ClusterChange, ClusterObject, Log } from "../controller/index.ts";
import { FolderSource, type FolderSourceOptions } from "./index.ts";

/** A real folder of manifests. */
class Folder implements AsyncDisposable {
  readonly path: string;
  readonly #base: string;
  #serial = 0;

  private constructor(base: string) {
    this.#base = base;
    this.path = join(base, "manifests");
  }
  static async create(): Promise<Folder> {
    const folder = new Folder(await mkdtemp(join(tmpdir(), "holdfast-files-")));
    await mkdir(folder.path);
    return folder;
  }
  at(name: string): string {
    return join(this.path, name);
  }
  /** Outside of the folder that is watched. */
  beside(name: string): string {
    return join(this.#base, name);
  }
  /** Writes in place. */
  async write(name: string, text: string): Promise<void> {
    await mkdir(dirname(this.at(name)), { recursive: true });
    await writeFile(this.at(name), text);
  }
  /** Writes beside it and renames, as careful programs do. */
  async replace(name: string, text: string): Promise<void> {
    const temporary = this.at(`.tmp-${this.#serial++}`);
    await writeFile(temporary, text);
    await rename(temporary, this.at(name));
  }
  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#base, { recursive: true, force: true });
  }
}

class LogLines implements Log {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  debug = (fields: object, message: string): void => this.#add("debug", fields, message);
  info = (fields: object, message: string): void => this.#add("info", fields, message);
  warn = (fields: object, message: string): void => this.#add("warn", fields, message);
  error = (fields: object, message: string): void => this.#add("error", fields, message);
  of(level: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line.level === level).map(({ fields }) => fields);
  }
  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields: { ...fields } });
  }
}

interface Watched {
  readonly folder: Folder;
  readonly source: FolderSource;
  readonly log: LogLines;
  readonly changes: ClusterChange[];
}

const aborts: AbortController[] = [];
const folders: Folder[] = [];
afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort();
  for (const folder of folders.splice(0)) await folder[Symbol.asyncDispose]();
});

async function newFolder(): Promise<Folder> {
  const folder = await Folder.create();
  folders.push(folder);
  return folder;
}

async function watch(folder: Folder, options: Partial<FolderSourceOptions> = {}): Promise<Watched> {
  const log = new LogLines();
  const source = new FolderSource({ folder: folder.path, log, ...options });
  const changes: ClusterChange[] = [];
  source.onChange((change) => changes.push(change));
  const abort = new AbortController();
  aborts.push(abort);
  await source.start(abort.signal);
  return { folder, source, log, changes };
}

async function watched(files: Record<string, string>, options: Partial<FolderSourceOptions> = {}): Promise<Watched> {
  const folder = await newFolder();
  for (const [name, text] of Object.entries(files)) await folder.write(name, text);
  return watch(folder, options);
}

const route = (name: string, host = `${name}.example.com`, more = ""): string => `apiVersion: holdfast.dev/v1alpha1
kind: WebSocketRoute
metadata: {name: ${name}, namespace: apps}
spec:
  hostnames: ["${host}"]
  rules:
  - backendRefs: [{name: ${name}, port: 80}]
${more}`;
const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: apps}\nspec: {ports: [{port: ${port}}]}\n`;
const config = (name: string, value = "x"): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: ${value}}\n`;
const broken = "a: [1\nb: 2\n";

const hosts = ({ source }: Watched): string[] =>
  [...source.snapshot().list("WebSocketRoute").values()]
    .flatMap((object) => (object as { spec: { hostnames: string[] } }).spec.hostnames)
    .sort();
const configs = ({ source }: Watched): string[] =>
  [...source.snapshot().list("ConfigMap")]
    .map(([name, object]) => `${name}=${(object as { data: { value: string } }).data.value}`)
    .sort();
const problems = ({ source }: Watched): string[] =>
  source.problems().map(({ file, line, message }) => `${file}:${line} ${message}`);
const becomes = <T>(read: () => T, want: unknown): Promise<void> =>
  vi.waitFor(() => expect(read()).toEqual(want), { timeout: 8000, interval: 5 });
/** Every state that the snapshot went through, as fine as a timer can see. */
function spy(world: Watched): () => string[] {
  const seen = new Set<string>();
  const look = (): Set<string> => seen.add(configs(world).join(" "));
  const timer = setInterval(look, 1);
  look();
  return () => {
    clearInterval(timer);
    return [...look()];
  };
}
/** Of a writer that hesitates. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Whatever was on its way has been read: a file that is written now is seen. */
async function isQuiet(world: Watched): Promise<void> {
  await world.folder.replace("zz-probe.yaml", config(`probe-${world.changes.length}-${Math.floor(performance.now())}`));
  const before = world.source.snapshot().list("ConfigMap").size;
  await vi.waitFor(() => expect(world.source.snapshot().list("ConfigMap").size).not.toBe(before), { interval: 5 });
  await unlink(world.folder.at("zz-probe.yaml"));
  await vi.waitFor(() => expect(world.source.snapshot().list("ConfigMap").size).toBe(before), { interval: 5 });
}

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

describe("an edit", () => {
  test("by rename is read", async () => {
    const world = await watched({ "a.yaml": route("chat") });
    await world.folder.replace("a.yaml", route("chat", "new.example.com"));
    await becomes(() => hosts(world), ["new.example.com"]);
    expect(world.changes).toEqual([{ kind: "routes" }]);
  });

  test("in place is read", async () => {
    const world = await watched({ "a.yaml": route("chat") });
    await world.folder.write("a.yaml", route("chat", "new.example.com"));
    await becomes(() => hosts(world), ["new.example.com"]);
  });

  test("in place in two halves with a pause is read as a whole", async () => {
    const world = await watched({ "a.yaml": `${config("a")}---\n${config("b")}` });
    const seen = spy(world);
    const text = `${config("a", "new")}---\n${config("b", "new")}`;
    const half = text.indexOf("kind: ConfigMap\nmetadata: {name: b") + 4;
    await writeFile(world.folder.at("a.yaml"), text.slice(0, half));
    await pause(80);
    await appendFile(world.folder.at("a.yaml"), text.slice(half));
    await becomes(() => configs(world), ["default/a=new", "default/b=new"]);
    expect(seen()).toEqual(["default/a=x default/b=x", "default/a=new default/b=new"]);
    expect(problems(world)).toEqual([]);
  });

  test("that empties the file first loses nothing meanwhile", async () => {
    const world = await watched({ "a.yaml": config("a") });
    const seen = spy(world);
    await writeFile(world.folder.at("a.yaml"), "");
    await pause(100);
    await appendFile(world.folder.at("a.yaml"), config("a", "new"));
    await becomes(() => configs(world), ["default/a=new"]);
    expect(seen()).toEqual(["default/a=x", "default/a=new"]);
  });

  test("that empties the file and stays so takes its objects out", async () => {
    const world = await watched({ "a.yaml": config("a") });
    await writeFile(world.folder.at("a.yaml"), "");
    await becomes(() => configs(world), []);
  });

  test("without an end of the last line is read all the same", async () => {
    const world = await watched({ "a.yaml": config("a") });
    await world.folder.write("a.yaml", config("a", "new").trimEnd());
    await becomes(() => configs(world), ["default/a=new"]);
  });

  test("by an editor that moves the old file away first loses nothing meanwhile", async () => {
    const world = await watched({ "a.yaml": config("a") });
    const seen = spy(world);
    await rename(world.folder.at("a.yaml"), world.folder.at("a.yaml~"));
    await writeFile(world.folder.at("a.yaml"), config("a", "new"));
    await unlink(world.folder.at("a.yaml~"));
    await becomes(() => configs(world), ["default/a=new"]);
    expect(seen()).toEqual(["default/a=x", "default/a=new"]);
  });

  test("that says the same changes nothing", async () => {
    const world = await watched({ "a.yaml": config("a"), "b.yaml": route("chat") });
    const before = world.source.snapshot().list("WebSocketRoute").get("apps/chat");
    await world.folder.replace("b.yaml", `# a comment\n${route("chat")}`);
    await isQuiet(world);
    expect(world.changes).toEqual([]);
    expect(world.source.snapshot().list("WebSocketRoute").get("apps/chat")).toBe(before);
  });

  test("many in a row end with the last", async () => {
    const world = await watched({ "a.yaml": config("a") });
    for (let i = 0; i < 100; i++) {
      if (i % 2 === 0) await world.folder.write("a.yaml", config("a", `v${i}`));
      else await world.folder.replace("a.yaml", config("a", `v${i}`));
    }
    await world.folder.write("a.yaml", config("a", "last"));
    await becomes(() => configs(world), ["default/a=last"]);
  });
});

describe("coming and going", () => {
  test("a new file, a deleted file, a renamed file", async () => {
    const world = await watched({ "a.yaml": config("a") });
    await world.folder.write("b.yaml", config("b"));
    await becomes(() => configs(world), ["default/a=x", "default/b=x"]);
    await unlink(world.folder.at("a.yaml"));
    await becomes(() => configs(world), ["default/b=x"]);
    const object = world.source.snapshot().list("ConfigMap").get("default/b");
    await rename(world.folder.at("b.yaml"), world.folder.at("c.yaml"));
    await isQuiet(world);
    expect(world.source.snapshot().list("ConfigMap").get("default/b")).toBe(object);
  });

  test("a file whose name becomes that of a manifest, and no longer is one", async () => {
    const world = await watched({ "a.txt": config("a") });
    expect(configs(world)).toEqual([]);
    await rename(world.folder.at("a.txt"), world.folder.at("a.yaml"));
    await becomes(() => configs(world), ["default/a=x"]);
    await rename(world.folder.at("a.yaml"), world.folder.at("a.txt"));
    await becomes(() => configs(world), []);
  });

  test("a subfolder with files, its edits, and its end", async () => {
    const world = await watched({ "a.yaml": config("a") });
    await world.folder.write("sub/one/b.yaml", config("b"));
    await becomes(() => configs(world), ["default/a=x", "default/b=x"]);
    await world.folder.write("sub/one/b.yaml", config("b", "new"));
    await becomes(() => configs(world), ["default/a=x", "default/b=new"]);
    await rename(world.folder.at("sub"), world.folder.at("moved"));
    await world.folder.write("moved/one/c.yaml", config("c"));
    await becomes(() => configs(world), ["default/a=x", "default/b=new", "default/c=x"]);
    await rm(world.folder.at("moved"), { recursive: true });
    await becomes(() => configs(world), ["default/a=x"]);
    await world.folder.write("moved/one/c.yaml", config("c", "again"));
    await becomes(() => configs(world), ["default/a=x", "default/c=again"]);
  });

  test("a mounted ConfigMap whose data is swapped", async () => {
    const folder = await newFolder();
    await folder.write("..2024_01/a.yaml", config("a"));
    await folder.write("..2024_01/b.yaml", config("b"));
    await symlink("..2024_01", folder.at("..data"));
    await symlink("..data/a.yaml", folder.at("a.yaml"));
    await symlink("..data/b.yaml", folder.at("b.yaml"));
    const world = await watch(folder);
    expect(configs(world)).toEqual(["default/a=x", "default/b=x"]);
    for (const round of ["2024_02", "2024_03"]) {
      const old = await readdir(folder.path);
      await folder.write(`..${round}/a.yaml`, config("a", `of${round.slice(-1)}`));
      await folder.write(`..${round}/c.yaml`, config("c"));
      await symlink(`..${round}`, folder.at("..data_tmp"));
      await rename(folder.at("..data_tmp"), folder.at("..data"));
      if (!old.includes("c.yaml")) await symlink("..data/c.yaml", folder.at("c.yaml"));
      await rm(folder.at("b.yaml"), { force: true });
      for (const name of old) if (name.startsWith("..2024")) await rm(folder.at(name), { recursive: true });
      await becomes(() => configs(world), [`default/a=of${round.slice(-1)}`, "default/c=x"]);
    }
    expect(problems(world)).toEqual([]);
  });

  test("a link to a file, and one to a folder, that lead elsewhere from now on", async () => {
    const folder = await newFolder();
    await mkdir(folder.beside("one"));
    await mkdir(folder.beside("two"));
    await writeFile(folder.beside("one/a.yaml"), config("a", "one"));
    await writeFile(folder.beside("two/a.yaml"), config("a", "two"));
    await symlink(folder.beside("one"), folder.at("linked"));
    await symlink(folder.beside("one/a.yaml"), folder.at("z.yaml"));
    const world = await watch(folder);
    expect(configs(world)).toEqual(["default/a=one"]);
    await symlink(folder.beside("two"), folder.at(".new"));
    await rename(folder.at(".new"), folder.at("linked"));
    await becomes(() => configs(world), ["default/a=two"]);
    await writeFile(folder.beside("two/a.yaml"), config("a", "edited"));
    await becomes(() => configs(world), ["default/a=edited"]);
    await unlink(folder.at("linked"));
    await becomes(() => configs(world), ["default/a=one"]);
    await symlink(folder.beside("two/a.yaml"), folder.at(".new"));
    await rename(folder.at(".new"), folder.at("z.yaml"));
    await becomes(() => configs(world), ["default/a=edited"]);
  });

  test("the folder itself goes, and what it said stays; it comes back, and is followed again", async () => {
    const world = await watched({ "a.yaml": config("a"), "sub/b.yaml": config("b") });
    await rename(world.folder.path, world.folder.beside("away"));
    await becomes(
      () => problems(world),
      [":0 the folder is gone or cannot be listed; what it said last stays in force"],
    );
    expect(configs(world)).toEqual(["default/a=x", "default/b=x"]);
    await rename(world.folder.beside("away"), world.folder.path);
    await world.folder.write("a.yaml", config("a", "back"));
    await becomes(() => configs(world), ["default/a=back", "default/b=x"]);
    expect(problems(world)).toEqual([]);
    await world.folder.write("sub/b.yaml", config("b", "back"));
    await becomes(() => configs(world), ["default/a=back", "default/b=back"]);
  });

  test("the folder is deleted, made again and slowly filled, with less in it", async () => {
    const world = await watched({ "a.yaml": config("a"), "b.yaml": config("b") });
    const seen = spy(world);
    await rm(world.folder.path, { recursive: true });
    await becomes(() => problems(world).length, 1);
    await mkdir(world.folder.path);
    await becomes(() => problems(world), []);
    await pause(150);
    await world.folder.write("a.yaml", config("a", "back"));
    await becomes(() => configs(world), ["default/a=back"]);
    expect(seen()).toEqual(["default/a=x default/b=x", "default/a=back default/b=x", "default/a=back"]);
  });

  test("the folder is a link that leads elsewhere from now on", async () => {
    const folder = await newFolder();
    await folder.write("a.yaml", config("a", "one"));
    await mkdir(folder.beside("two"));
    await writeFile(folder.beside("two/a.yaml"), config("a", "two"));
    await symlink(folder.path, folder.beside("current"));
    const world = await watch(folder, { folder: folder.beside("current") });
    expect(configs(world)).toEqual(["default/a=one"]);
    await symlink(folder.beside("two"), folder.beside("next"));
    await rename(folder.beside("next"), folder.beside("current"));
    await becomes(() => configs(world), ["default/a=two"]);
  });

  test("what no event told of is found by looking again", async () => {
    const folder = await newFolder();
    await writeFile(folder.beside("real.yaml"), config("a"));
    await symlink(folder.beside("real.yaml"), folder.at("a.yaml"));
    const world = await watch(folder, { rescanIntervalMs: 100 });
    await writeFile(folder.beside("real.yaml"), config("a", "unheard"));
    await becomes(() => configs(world), ["default/a=unheard"]);
  });

  test("after the end nothing is followed any more", async () => {
    const world = await watched({ "a.yaml": config("a") });
    const other = await watch(world.folder);
    aborts[0]?.abort();
    await world.folder.write("a.yaml", config("a", "new"));
    await becomes(() => configs(other), ["default/a=new"]);
    expect(configs(world)).toEqual(["default/a=x"]);
  });
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
