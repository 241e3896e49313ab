import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { findProgram } from "../peers/programs.ts";

const FOLDER = join(import.meta.dirname, "../load");
/** Where `buildLoadGenerator` puts it. */
export const LOAD_BINARY = join(FOLDER, "build/load");
/** Beyond what a measurement should take. */
const STUCK_AFTER_MS = 60_000;

/** What the generator prints at the end of a measurement; what its window saw. */
export interface LoadResult {
  /** Handshakes, messages or tunnels. */
  readonly units: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly latencyUs: Readonly<Record<"p50" | "p90" | "p99" | "p999" | "max", number>>;
  /** Payload that came back. */
  readonly bytes: number;
  /** CPU time of the processes watched and of the generator itself. */
  readonly cpuUs: { readonly watched: number; readonly load: number };
  /** Of the processes watched; `idle` only. */
  readonly pssBytes?: { readonly before: number; readonly after: number };
  readonly tunnels: number;
}

/** Builds the generator; throws in words that say what to do. */
export function buildLoadGenerator(): void {
  const go = findProgram("go");
  if (go === undefined)
    throw new Error("The load generator is written in Go and there is no go here: install Go 1.26.");
  // Beside it and then into its place: another process may be running it, or building it too.
  const built = `${LOAD_BINARY}.${process.pid}`;
  const { status, stderr } = spawnSync(go, ["build", "-o", built, "."], { cwd: FOLDER, encoding: "utf8" });
  if (status !== 0) throw new Error(`go build in bench/load failed:\n${stderr}`);
  renameSync(built, LOAD_BINARY);
}

/** The WebSocket backend: echoes, and sends by itself where it is asked to. */
export class Backend implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, port: number) {
    this.#process = child;
    this.port = port;
  }

  static async start(pin: readonly string[]): Promise<Backend> {
    const [program, ...args] = commandLine(pin, ["serve"]);
    // It ends by itself when its stdin closes, so also when we are killed.
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await Promise.race([once(child.stdout, "data"), endOf(child)])) as [Buffer];
    const { port } = JSON.parse(line.toString()) as { readonly port: number };
    return new Backend(child, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }
}

/** What is measured, and where. */
export interface LoadOrder {
  /** The generator's command with its flags. */
  readonly command: readonly string[];
  readonly targetPort: number;
  /** Processes whose CPU time and memory are read. */
  readonly pids: readonly number[];
  readonly pin: readonly string[];
  /** How long it should take at most. */
  readonly seconds: number;
}

/** Runs one measurement and does nothing meanwhile. Throws with the generator's words when it fails or is stuck. */
export async function measure({ command, targetPort, pids, pin, seconds }: LoadOrder): Promise<LoadResult> {
  const target = ["--target", `127.0.0.1:${targetPort}`, "--pids", pids.join(",")];
  const [program, ...args] = commandLine(pin, [...command, ...target]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const killAtExit = (): void => void child.kill("SIGKILL");
  process.once("exit", killAtExit);
  const tooLong = setTimeout(killAtExit, seconds * 1_000 + STUCK_AFTER_MS);
  try {
    const [output, errors, [status, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    if (signal === "SIGKILL") throw new Error(`the load generator was stuck for ${STUCK_AFTER_MS / 1_000} s`);
    if (status !== 0) throw new Error(errors.trim() || `the load generator ended with ${String(status ?? signal)}`);
    return parseResult(output);
  } finally {
    clearTimeout(tooLong);
    process.off("exit", killAtExit);
  }
}

/** The result among the lines of JSON; a measurement of nothing is a failure. */
export function parseResult(output: string): LoadResult {
  for (const line of output.split("\n").filter((candidate) => candidate !== "")) {
    const said = JSON.parse(line) as LoadResult & { readonly event: string };
    if (said.event !== "result") continue;
    if (said.units > 0) return said;
    throw new Error(`nothing was measured, ${said.errors} errors${said.firstError ? `: ${said.firstError}` : ""}`);
  }
  throw new Error("the load generator ended without a result");
}

function commandLine(pin: readonly string[], args: readonly string[]): readonly [string, ...string[]] {
  const [program, ...others] = pin;
  return program === undefined ? [LOAD_BINARY, ...args] : [program, ...others, LOAD_BINARY, ...args];
}

async function endOf(child: ChildProcessByStdio<Writable, Readable, null>): Promise<never> {
  const [status, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  throw new Error(`the backend ended with ${String(status ?? signal)}`);
}
