import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Says its own event-loop delay for each line that it reads. */
const CODE = `
const { monitorEventLoopDelay } = require("node:perf_hooks");
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.stdin.on("data", () => {
  const ms = (ns) => Math.max(0, Math.round(ns / 1e4 - 100) / 100);
  console.log(JSON.stringify({ p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) }));
});`;

/** A process with nothing to do: how late it is says how busy the machine is, whatever Holdfast does. */
export class IdleProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<IdleProcess> {
    const child = spawn(process.execPath, ["-e", CODE], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child, "spawn");
    return new IdleProcess(child);
  }

  /** Since its start, in milliseconds. */
  async delay(): Promise<Record<string, number>> {
    const { stdin, stdout } = this.#child;
    if (stdin === null || stdout === null) throw new Error("no pipes");
    const line = once(createInterface({ input: stdout }), "line");
    stdin.write("\n");
    const [text] = (await line) as [string];
    return JSON.parse(text) as Record<string, number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await once(this.#child, "exit");
  }
}
