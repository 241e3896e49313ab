import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger, type LoggerOptions } from "./logger.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-log-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function logger(options: Partial<LoggerOptions> = {}) {
  const destination = join(folder, "log");
  const made = createLogger({ level: "info", format: "json", isTerminal: false, destination, ...options });
  const lines = (): string[] => readFileSync(destination, "utf8").split("\n").slice(0, -1);
  return { ...made, lines };
}

test("lines are JSON with time, level and message, without process and host", async () => {
  const { log, lines } = logger();
  log.info({ route: "apps/chat" }, "tunnel ended");
  await vi.waitFor(() => expect(lines()).toHaveLength(1));
  const line = JSON.parse(lines()[0]!) as Record<string, unknown>;
  expect(line).toEqual({ level: "info", time: expect.any(String), route: "apps/chat", msg: "tunnel ended" });
  expect(Number.isNaN(Date.parse(String(line["time"])))).toBe(false);
});

test("secrets do not reach the file", async () => {
  const { log, lines } = logger();
  log.warn({ detail: "/ws?token=s3cret", headers: { authorization: "s3cret", cookie: "s3cret" } }, "request refused");
  await vi.waitFor(() => expect(lines()).toHaveLength(1));
  expect(lines()[0]).not.toContain("s3cret");
});

test.for([
  { name: "a terminal gets pretty lines", format: "auto", isTerminal: true, isJson: false },
  { name: "a pipe gets JSON", format: "auto", isTerminal: false, isJson: true },
  { name: "pretty lines may be asked for", format: "pretty", isTerminal: false, isJson: false },
] as const)("$name", async ({ format, isTerminal, isJson }) => {
  const { log, lines } = logger({ format, isTerminal });
  log.info({ port: 8020 }, "listening");
  await vi.waitFor(() => expect(lines()).toHaveLength(1));
  expect(lines()[0]?.startsWith("{")).toBe(isJson);
  expect(lines()[0]).toContain("listening");
});

test("what a slow reader leaves waiting is bounded: lines beyond it are dropped and counted", async () => {
  const { log, droppedLines, lines } = logger({ maxWaitingBytes: 10_000 });
  for (let i = 0; i < 1_000; i++) log.info({ i, text: "x".repeat(100) }, "flood");
  const dropped = droppedLines();
  expect(dropped).toBeGreaterThan(800);
  await vi.waitFor(() => expect(lines()).toHaveLength(1_000 - dropped));
});

test("what waits is written when the process exits", async () => {
  const code = `import { createLogger } from ${JSON.stringify(new URL("./logger.ts", import.meta.url).href)};
    const { log, end } = createLogger({ level: "info", format: "json", destination: 1, isTerminal: false });
    for (let i = 0; i < 100; i++) log.info({ i }, "last words");
    end();
    process.exit(0);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const out = await text(child.stdout);
  expect(out.split("\n").slice(0, -1)).toHaveLength(100);
});

/** A process that logs, says so on stderr, and goes on. */
function startLogging(lines: number, bytes: number) {
  const code = `import { createLogger } from ${JSON.stringify(new URL("./logger.ts", import.meta.url).href)};
    const isTerminal = process.stdout.isTTY === true;
    const { log, droppedLines, end } = createLogger({ level: "info", format: "json", destination: 1, isTerminal });
    const flood = () => { for (let i = 0; i < ${lines}; i++) log.info({ text: "x".repeat(${bytes}) }, "flood"); };
    flood();
    process.on("SIGTERM", () => { end(); process.exit(0); });
    process.on("SIGUSR2", () => { flood(); console.error("dropped " + droppedLines()); });
    setInterval(() => {}, 1000);
    console.error("logged");`;
  return spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "pipe"] });
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
  const { log, droppedLines, end } = logger({ destination: "/dev/full" });
  log.info({}, "lost");
  await expect.poll(droppedLines).toBe(1);
  log.info({}, "lost too");
  end();
  await expect.poll(droppedLines).toBe(2);
});
