import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(import.meta.resolve("./forwarder.ts"));

/** The process through which some tunnels go; killed, it comes again with the same port for the proxy to dial. */
export class Forwarder implements AsyncDisposable {
  readonly #backendPort: number;
  #child: ChildProcess | undefined;
  /** What the proxy dials. */
  backendSidePort = 0;
  /** What clients dial, saying first who they are and where to. */
  clientSidePort = 0;
  isUp = false;

  constructor(backendPort: number) {
    this.#backendPort = backendPort;
  }

  async start(): Promise<void> {
    const args = [PROGRAM, this.#backendPort, this.backendSidePort].map(String);
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    const [line] = (await Promise.race([
      once(lines, "line"),
      once(child, "exit").then(() => Promise.reject(new Error("the forwarder did not start"))),
    ])) as [string];
    const [before = 0, behind = 0] = line.split(" ").map(Number);
    this.backendSidePort = before;
    this.clientSidePort = behind;
    this.isUp = true;
  }

  /** SIGKILL: no word, and what it carried is lost. */
  async kill(): Promise<void> {
    this.isUp = false;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
