import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const LISTENING_MS = 30_000;

export interface ContainerEnd {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process in a container that run.sh made. `await using` ends it. */
export class ContainerProcess implements AsyncDisposable {
  readonly out: string[] = [];
  readonly err: string[] = [];
  readonly #runner: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(command: string, args: readonly string[]) {
    const runner = spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"] });
    createInterface({ input: runner.stdout }).on("line", (line) => this.out.push(line));
    createInterface({ input: runner.stderr }).on("line", (line) => this.err.push(line));
    this.#runner = runner;
    this.#closed = once(runner, "close");
    this.#closed.catch(() => {});
  }

  /** `host:port` of a listener, once the log says so; rejects when the process ends first or takes too long. */
  async address(listener: "http" | "admin"): Promise<string> {
    const giveUpAt = performance.now() + LISTENING_MS;
    for (;;) {
      for (const line of this.out) {
        const { msg, ...fields } = (line.startsWith("{") ? JSON.parse(line) : {}) as Record<string, unknown>;
        if (msg === "listening" && fields["listener"] === listener) {
          return `${String(fields["address"])}:${String(fields["port"])}`;
        }
      }
      if (this.#hasEnded || performance.now() > giveUpAt) {
        const said = [...this.out.slice(-20), ...this.err.slice(-20)].join("\n");
        throw new Error(`${this.#hasEnded ? "ended before it listened" : "does not listen"} (${listener}):\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** The lines of /proc/<pid>/status of the container's first process, by name. */
  status(): ReadonlyMap<string, string> {
    const text = readFileSync(`/proc/${this.#first()}/status`, "utf8");
    return new Map([...text.matchAll(/^(\w+):\s*(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]));
  }

  /** How the file system that it sees at `/` is mounted: `ro` or `rw`, and more. See proc_pid_mountinfo(5). */
  rootMount(): readonly string[] {
    const lines = readFileSync(`/proc/${this.#first()}/mountinfo`, "utf8").split("\n");
    const root = lines.map((line) => line.split(" ")).find(([, , , , place]) => place === "/");
    return root?.[5]?.split(",") ?? [];
  }

  /** To the container's first process, as a container runtime does it: from outside of its pid namespace. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.#first(), signal);
  }

  /** Another command in the container, as `kubectl exec` does it: its root, its environment, its user. */
  async exec([program = "", ...args]: readonly string[]): Promise<ContainerEnd> {
    const pid = String(this.#first());
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
    const where = ["--target", pid, "--mount", "--pid", "--root", "--wd", "--setuid", "1000", "--setgid", "1000"];
    const command = [...where, "--", "/usr/bin/env", "-i", ...environment, program, ...args];
    return await new Promise((resolve) => {
      const child = execFile("nsenter", command, (_error, out, err) => resolve({ code: child.exitCode, out, err }));
    });
  }

  async end(): Promise<ContainerEnd> {
    await this.#closed;
    return { code: this.#runner.exitCode, out: this.out.join("\n"), err: this.err.join("\n") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return;
    this.#runner.kill("SIGKILL");
    await this.#closed;
  }

  get #hasEnded(): boolean {
    return this.#runner.exitCode !== null || this.#runner.signalCode !== null;
  }

  #first(): number {
    const { pid } = this.#runner;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    if (!/^\d+$/.test(children)) throw new Error(`one child expected, there are: "${children}"`);
    return Number(children);
  }
}
