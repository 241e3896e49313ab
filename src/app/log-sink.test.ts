import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LogSink, type LogSinkOptions } from "./log-sink.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-log-"));
});
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function newSink(options: Partial<LogSinkOptions> = {}) {
  const destination = join(folder, "log");
  const lines = (): string[] => readFileSync(destination, "utf8").split("\n").slice(0, -1);
  return { sink: new LogSink({ destination, ...options }), lines };
}

test("what a slow reader leaves waiting is bounded: lines beyond it are dropped and counted", async () => {
  const { sink, lines } = newSink({ maxWaitingBytes: 10_000 });
  for (let i = 0; i < 1_000; i++) sink.write(`${"x".repeat(180)}\n`);
  const dropped = sink.droppedLines;
  expect(dropped).toBeGreaterThan(800);
  await vi.waitFor(() => expect(lines()).toHaveLength(1_000 - dropped));
});

test("what waits is written when the process exits", async () => {
  const code = `import { LogSink } from ${JSON.stringify(new URL("./log-sink.ts", import.meta.url).href)};
    const sink = new LogSink({ destination: 1 });
    for (let i = 0; i < 100; i++) sink.write("last words\\n");
    sink.end();
    process.exit(0);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const out = await text(child.stdout);
  expect(out.split("\n").slice(0, -1)).toHaveLength(100);
});

/** A process that logs, says so on stderr, and goes on. */
function startLogging(lines: number, bytes: number) {
  const code = `import { LogSink } from ${JSON.stringify(new URL("./log-sink.ts", import.meta.url).href)};
    // Looking at stdout is what makes a pipe one that does not block.
    const sink = new LogSink({ destination: process.stdout.fd });
    const flood = () => { for (let i = 0; i < ${lines}; i++) sink.write("x".repeat(${bytes}) + "\\n"); };
    flood();
    process.on("SIGTERM", () => { sink.end(); process.exit(0); });
    process.on("SIGUSR2", () => { flood(); console.error("dropped " + sink.droppedLines); });
    setInterval(() => {}, 1000);
    console.error("logged");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  return child;
}

async function nextText(stream: Readable, wanted: RegExp): Promise<string> {
  let seen = "";
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    seen += String(chunk);
    if (wanted.test(seen)) break;
  }
  return seen;
}

test("a reader that has stopped reading keeps nobody from exiting", async () => {
  const child = startLogging(100, 10_000);
  child.stdout.pause();
  await nextText(child.stderr, /logged/);
  child.kill("SIGTERM");
  const [exitCode] = (await once(child, "exit")) as [number | null];
  expect(exitCode).toBe(0);
});

test("after its reader is gone, every line counts as dropped, and the process goes on and exits when told", async () => {
  const child = startLogging(1, 10);
  await nextText(child.stderr, /logged/);
  child.stdout.destroy();
  await expect
    .poll(async () => {
      child.kill("SIGUSR2");
      return Number(/dropped (\d+)/.exec(await nextText(child.stderr, /dropped \d+/))?.[1]);
    })
    .toBeGreaterThan(3);
  child.kill("SIGTERM");
  const [exitCode] = (await once(child, "exit")) as [number | null];
  expect(exitCode).toBe(0);
});

test.runIf(existsSync("/dev/full"))("a full disk costs lines and nothing else", async () => {
  const { sink } = newSink({ destination: "/dev/full" });
  sink.write("lost\n");
  await expect.poll(() => sink.droppedLines).toBe(1);
  sink.write("lost too\n");
  sink.end();
  await expect.poll(() => sink.droppedLines).toBe(2);
});
