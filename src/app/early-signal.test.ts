import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-bin-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** The binary of this checkout, in front of a program of ours. */
function startWith(program: string) {
  mkdirSync(join(folder, "dist/app"), { recursive: true });
  for (const path of ["bin/holdfast.cjs", "package.json"]) cpSync(join(ROOT, path), join(folder, path));
  writeFileSync(join(folder, "dist/app/main.js"), program);
  return spawn(process.execPath, [join(folder, "bin/holdfast.cjs")], { stdio: ["ignore", "pipe", "inherit"] });
}

// As PID 1 the default would be worse than another exit code: nothing.
test.for(["SIGTERM", "SIGINT"] as const)("%s while modules still load ends the process with 0", async (signal) => {
  const child = startWith("console.log('loading'); await new Promise((resolve) => setTimeout(resolve, 60_000));");
  await once(child.stdout, "data");
  child.kill(signal);
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("once the program listens for signals itself, they are its own", async () => {
  const child = startWith(`process.on("SIGTERM", () => setTimeout(() => process.exit(7), 50));
    setInterval(() => {}, 1000);
    console.log("listening");`);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([7, null]);
});
