import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { LOAD_BINARY } from "../compare/load-generator.ts";

/** A line that a part of the load generator says; the rest of it depends on the event. */
export interface Line {
  readonly event: string;
}

/** How long it may take from the end of its stdin to its result and its end. */
const END_TIMEOUT_MS = 20_000;

/** A part of the load generator that says lines of JSON, is ended by the end of its stdin, or killed. */
export class LoadProcess implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: Line[] = [];
  readonly #exit: Promise<unknown>;
  #heard: () => void = () => undefined;
  #errors = "";

  /** `args`: command and flags of `load`; `pin`: words before the command line, may be empty. */
  constructor(args: readonly string[], pin: readonly string[]) {
    const [program = LOAD_BINARY, ...words] = [...pin, LOAD_BINARY, ...args];
    // Its stdin ends when we do, and so does it.
    this.#process = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stdin.on("error", () => undefined);
    this.#exit = once(this.#process, "close").then(
      () => this.#heard(),
      (error: unknown) => {
        this.#errors += String(error);
        this.#heard();
      },
    );
    this.#process.stderr.on("data", (bytes: Buffer) => (this.#errors += bytes.toString()));
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      this.#lines.push(JSON.parse(line) as Line);
      this.#heard();
    });
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** The line with that event, past or coming; throws in words when it ends without one, or `timeoutMs` pass. */
  async line<Said extends Line>(wanted: string, timeoutMs: number): Promise<Said> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.#lines.find(({ event }) => event === wanted);
      if (found !== undefined) return found as Said;
      const left = deadline - performance.now();
      if (this.hasEnded && this.#process.stdout.readableEnded) throw new Error(this.#why(`ended before "${wanted}"`));
      if (left <= 0) throw new Error(this.#why(`did not say "${wanted}" in ${timeoutMs / 1_000} s`));
      await this.#nextWord(left);
    }
  }

  /** Tells it to end, and returns what it has measured. */
  async result<Said extends Line>(): Promise<Said> {
    this.#process.stdin.end();
    return await this.line<Said>("result", END_TIMEOUT_MS);
  }

  /** Ends it as a crash does: the kernel closes its connections, all at once. Returns when it is gone. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #why(words: string): string {
    return `load ${this.#process.spawnargs.slice(-1).join(" ")}: ${words}${this.#errors && `: ${this.#errors.trim()}`}`;
  }

  async #nextWord(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Starts a backend and tells its port; throws in words when it does not listen. */
export async function startBackend(
  pin: readonly string[],
): Promise<{ readonly port: number; readonly process: LoadProcess }> {
  const process = new LoadProcess(["serve"], pin);
  const { port } = await process.line<Line & { readonly port: number }>("listening", 10_000);
  return { port, process };
}
