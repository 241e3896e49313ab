import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isRunning, type ProcessFact, processTree } from "./process-tree.ts";

const END_TIMEOUT_MS = 5_000;
const LOOK_AGAIN_MS = 20;

export interface ChildOptions {
  /** Both its outputs go to this file. */
  readonly outputFile: string;
  /** What ends it in good order; what is left of its tree 5 s later is killed. */
  readonly endSignal: NodeJS.Signals;
}

/** A process with its descendants, started by us and ended by us, by their own pids and no other way. */
export class Child implements AsyncDisposable {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #options: ChildOptions;
  readonly #endAtExit: () => void;

  private constructor(child: ChildProcess, pid: number, options: ChildOptions) {
    this.pid = pid;
    this.#process = child;
    this.#options = options;
    // Ctrl-C ends the comparison by process.exit, which runs no disposal.
    this.#endAtExit = () => this.#signalTree();
    process.once("exit", this.#endAtExit);
  }

  /**
   * Starts a command. It gets PATH and nothing else of our environment: a NODE_OPTIONS, MALLOC_* or HOLDFAST_* of the
   * shell would change what is measured.
   */
  static async start(command: readonly string[], options: ChildOptions): Promise<Child> {
    const output = openSync(options.outputFile, "a");
    try {
      const [program = "", ...args] = command;
      const child = spawn(program, args, {
        stdio: ["ignore", output, output],
        env: { PATH: process.env["PATH"] },
      });
      await once(child, "spawn");
      return new Child(child, child.pid ?? 0, options);
    } finally {
      closeSync(output);
    }
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** What it has said so far. */
  output(): string {
    return readFileSync(this.#options.outputFile, "utf8");
  }

  /** Waits until `look` answers something; throws with what the process said when it ends or `timeoutMs` pass first. */
  async until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (this.hasEnded || performance.now() > deadline) {
        const how = this.hasEnded ? "ended before" : `did not get there in ${timeoutMs / 1_000} s:`;
        throw new Error(`${this.#process.spawnargs.join(" ")} ${how} ${what}\n${this.output().slice(-2_000)}`);
      }
      await delay(LOOK_AGAIN_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#endAtExit);
    const tree = this.#signalTree();
    await untilGone(tree);
    for (const fact of tree) if (isRunning(fact)) sendSignal(fact.pid, "SIGKILL");
    // A killed process takes a moment too.
    await untilGone(tree);
    if (!this.hasEnded) await once(this.#process, "exit");
  }

  /** Parents first, so that none has time to replace a child that ended. The processes that were told. */
  #signalTree(): readonly ProcessFact[] {
    const tree = this.hasEnded ? [] : processTree(this.pid);
    for (const { pid } of tree) sendSignal(pid, this.#options.endSignal);
    return tree;
  }
}

async function untilGone(tree: readonly ProcessFact[]): Promise<void> {
  const deadline = performance.now() + END_TIMEOUT_MS;
  while (tree.some(isRunning) && performance.now() < deadline) await delay(LOOK_AGAIN_MS);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
