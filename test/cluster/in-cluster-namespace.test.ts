import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";

const SCRIPT = resolve(import.meta.dirname, "../../scripts/in-cluster-namespace.ts");

/** As in a shell outside of any test run. */
const OUTSIDE = { ...process.env, HOLDFAST_CLUSTER_NAMESPACE: undefined, CI: undefined };

function start(command: readonly string[], env: NodeJS.ProcessEnv = OUTSIDE) {
  return spawn(process.execPath, [SCRIPT, ...command], { stdio: ["ignore", "pipe", "pipe"], env });
}

async function run(command: readonly string[], env: NodeJS.ProcessEnv = OUTSIDE) {
  const child = start(command, env);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { stdout, stderr, code: code as number };
}

describe("a command run in a network namespace of its own", () => {
  test("sees loopback, the node's address, and no way out", async () => {
    const { stdout, code } = await run(["ip", "-brief", "-4", "address"]);
    const addresses = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/)[2]);
    expect({ code, addresses }).toEqual({ code: 0, addresses: ["127.0.0.1/8", "198.19.255.1/24"] });
    expect((await run(["ip", "route", "show", "default"])).stdout).toBe("");
    expect((await run(["ip", "route", "get", "198.18.77.5"])).stdout).toContain("local 198.18.77.5 dev lo");
  });

  test("knows that it is in one, and in it a second one is not made", async () => {
    const mark = 'test "$HOLDFAST_CLUSTER_NAMESPACE" = 1 && readlink /proc/self/ns/net';
    const outer = await run(["sh", "-c", `${mark} && ${process.execPath} ${SCRIPT} sh -c '${mark}'`]);
    const [first, second] = outer.stdout.trim().split("\n");
    expect(first).toMatch(/^net:/);
    expect(second).toBe(first);
    expect(readlinkSync("/proc/self/ns/net")).not.toBe(first);
  });

  test("gives its arguments, output and exit code as they are", async () => {
    expect(await run(["sh", "-c", 'echo "$1"; echo err >&2; exit 7', "sh", "a  b; $HOME"])).toEqual({
      stdout: "a  b; $HOME\n",
      stderr: "err\n",
      code: 7,
    });
  });

  test("gets the SIGTERM that the script gets", async () => {
    const child = start([
      "sh",
      "-c",
      "trap 'echo ended; exit 3' TERM; echo ready; for i in $(seq 50); do sleep 0.1; done",
    ]);
    const stdout = text(child.stdout);
    child.stdout.once("data", () => child.kill("SIGTERM"));
    const [code] = (await once(child, "exit")) as [number];
    expect({ code, stdout: await stdout }).toEqual({ code: 3, stdout: "ready\nended\n" });
  });
});

describe("where no namespace can be had", () => {
  /** No unshare on this PATH. */
  const poor = { ...OUTSIDE, PATH: join(import.meta.dirname, "fixtures") };

  test("the command runs as it is, and the reason is printed", async () => {
    const { stdout, stderr, code } = await run(
      [process.execPath, "-p", "process.env.HOLDFAST_CLUSTER_NAMESPACE"],
      poor,
    );
    expect({ stdout, code }).toEqual({ stdout: "undefined\n", code: 0 });
    expect(stderr).toContain("no network namespace: unshare is missing: install util-linux");
  });

  test("with CI=true it does not run", async () => {
    const { stdout, code } = await run([process.execPath, "-p", "1"], { ...poor, CI: "true" });
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
  });
});
