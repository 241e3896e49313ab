import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

const PATIENCE_MS = 60_000;

/** A process of ours that says one thing for each that it is asked, and one when it is ready. */
export class Forked implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static start(file: URL, args: readonly string[] = []): Forked {
    return new Forked(fork(file, args, { execArgv: ["--expose-gc"] }));
  }

  async ask<Answer>(question: object): Promise<Answer> {
    const pending = this.answer<Answer>();
    this.#child.send(question);
    return pending;
  }

  /** What it says next. */
  async answer<Answer>(): Promise<Answer> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new Error("no answer")), PATIENCE_MS);
    const died = once(this.#child, "exit", { signal: patience.signal }).then(() => {
      throw new Error("a process of the idle tunnels ended");
    });
    try {
      const message = once(this.#child, "message", { signal: patience.signal });
      const [answer] = (await Promise.race([message, died])) as [Answer];
      return answer;
    } finally {
      clearTimeout(timer);
      patience.abort();
      died.catch(() => {});
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
