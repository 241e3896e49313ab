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
