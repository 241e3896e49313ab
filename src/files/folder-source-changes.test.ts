import { appendFile, mkdir, readdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import {
  aborts,
  becomes,
  config,
  configs,
  hosts,
  isQuiet,
  newFolder,
  pause,
  problems,
  route,
  spy,
  watch,
  watched,
} from "./folder-source.fixture.ts";

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
