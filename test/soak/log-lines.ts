import { createInterface } from "node:readline";
import type { HoldfastProcess, LogLine } from "../integration/fixtures/holdfast.ts";

/** The lines about ended tunnels, by the address of their client. */
export class EndLines {
  readonly #waiting = new Map<string, (line: LogLine) => void>();
  readonly #early = new Map<string, LogLine>();
  readonly byCause = new Map<string, number>();
  total = 0;

  constructor(holdfast: HoldfastProcess) {
    const { stdout } = holdfast.process;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#take(line));
  }

  /** The line of one client; undefined = none within the time. */
  async of(client: string, withinMs: number): Promise<LogLine | undefined> {
    const early = this.#early.get(client);
    if (early !== undefined) {
      this.#early.delete(client);
      return early;
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(client);
        resolve(undefined);
      }, withinMs);
      this.#waiting.set(client, (line) => {
        clearTimeout(timer);
        resolve(line);
      });
    });
  }

  #take(text: string): void {
    if (!text.includes('"tunnel ended"')) return;
    const line = JSON.parse(text) as LogLine;
    const client = String(line["client"]);
    const cause = String(line["cause"]);
    this.total += 1;
    this.byCause.set(cause, (this.byCause.get(cause) ?? 0) + 1);
    const waiting = this.#waiting.get(client);
    this.#waiting.delete(client);
    if (waiting === undefined) this.#early.set(client, line);
    else waiting(line);
  }
}
