import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Child } from "../../bench/peers/child.ts";
import { isRunning, parseStat, processTree } from "../../bench/peers/process-tree.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-processes-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

async function shell(script: string, endSignal: NodeJS.Signals = "SIGTERM"): Promise<Child> {
  return Child.start(["/bin/sh", "-c", script], { outputFile: join(folder, "output.log"), endSignal });
}

/** Waits for a shell that runs `count` processes, itself among them. */
async function family(child: Child, count: number): Promise<ReturnType<typeof processTree>> {
  return child.until("having its children", 10_000, () => {
    const tree = processTree(child.pid);
    return tree.length === count ? tree : undefined;
  });
}

test("a name with spaces and brackets does not shift the fields of /proc/PID/stat", () => {
  const fields = ["S", "41", ...Array.from({ length: 17 }, () => "0"), "777", "0"].join(" ");
  expect(parseStat(`42 (a) b (c) ${fields}\n`)).toEqual({ pid: 42, parent: 41, name: "a) b (c", startedAt: 777 });
  expect(parseStat("")).toBeUndefined();
});

test("the tree of a process has its children and grandchildren, and each process once, however many threads it has", async () => {
  const node = `${process.execPath} -e "setInterval(() => {}, 1e6)"`;
  await using child = await shell(`sh -c 'sleep 1000 & wait' & ${node} & wait`);
  const tree = await family(child, 4);
  expect(tree[0]?.pid).toBe(child.pid);
  expect(new Set(tree.map(({ pid }) => pid)).size).toBe(4);
  expect(tree.map(({ name }) => name).toSorted()).toEqual(expect.arrayContaining(["sh", "sh", "sleep"]));
});

test("disposing of a process ends its whole tree, and what does not listen is killed", async () => {
  const child = await shell("trap '' TERM; sleep 1000 & wait; sleep 1000");
  const tree = await family(child, 2);
  await child[Symbol.asyncDispose]();
  expect(tree.filter(isRunning)).toEqual([]);
  expect(child.hasEnded).toBe(true);
});

test("a process of ours gets PATH and no other variable that could change what is measured", async () => {
  await using child = await Child.start([process.execPath, "-p", "Object.keys(process.env).join()"], {
    outputFile: join(folder, "output.log"),
    endSignal: "SIGTERM",
  });
  await child.until("its variables", 10_000, () => (child.output().endsWith("\n") ? true : undefined));
  expect(child.output().trim()).toBe("PATH");
});

test("waiting for a process that ends says what it said", async () => {
  await using child = await shell("echo the port is taken >&2; exit 3");
  await expect(child.until("serving", 10_000, () => undefined)).rejects.toThrow(/serving\nthe port is taken/);
});

test("a pid that belongs to another process by now is not taken for the one that ended", () => {
  const [self] = processTree(process.pid);
  if (self === undefined) throw new Error("we do not run");
  expect(isRunning(self)).toBe(true);
  expect(isRunning({ ...self, startedAt: self.startedAt - 1 })).toBe(false);
});
