import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const binary = join(root, "bin/holdfast.cjs");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

function run(args: readonly string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

test("the holdfast binary runs what was built", () => {
  expect(run([binary, "--version"])).toMatchObject({ code: 0, out: expect.stringContaining(version) as unknown });
});

test("on an older Node the binary says which Node it needs and which it runs on, and exits 1", () => {
  const old = `Object.defineProperty(process.versions, "node", { value: "20.11.1" }); require(${JSON.stringify(binary)});`;
  const { code, err } = run(["-e", old]);
  expect(code).toBe(1);
  expect(err).toContain("needs Node 24 or later; this is Node 20.11.1");
});

test.for([
  { name: "an unknown command", args: ["sreve"], says: /serve/ },
  { name: "a wrong value", args: ["serve", "--source", "cloud", "--dir", "."], says: /Allowed choices are files/ },
  {
    name: "a missing folder",
    args: ["serve", "--source", "files", "--dir", "/nowhere", "--http", "127.0.0.1:0"],
    says: /nowhere/,
  },
])("$name is refused with words and exit code 2", ({ args, says }) => {
  const { code, out, err } = run([binary, ...args]);
  expect(`${out}${err}`).toMatch(says);
  expect(code).toBe(2);
});

/** What V8 was told about the young generation, in the process that answers `--version`. */
function flagsSeen(env: NodeJS.ProcessEnv, args: readonly string[] = []): string {
  const tell = `data:text/javascript,process.once("exit", () => console.error(JSON.stringify([process.pid, process.execArgv])))`;
  const child = spawnSync(process.execPath, [...args, "--import", tell, binary, "--version"], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  const [pid, flags] = JSON.parse(child.stderr.trim().split("\n").at(-1) ?? "") as [number, readonly string[]];
  expect(pid).toBe(child.pid);
  expect(child.stdout).toContain(version);
  return flags.filter((flag) => flag.includes("semi")).join(" ");
}

test("the binary bounds V8's young generation, as the process that was started and with the flags it was given", () => {
  expect(flagsSeen({})).toBe("--max-semi-space-size=16");
});

test("whoever bounds the young generation himself is left alone", () => {
  expect(flagsSeen({ NODE_OPTIONS: "--max-semi-space-size=4" })).toBe("");
  expect(flagsSeen({}, ["--max-semi-space-size=32"])).toBe("--max-semi-space-size=32");
});
