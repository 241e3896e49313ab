import type { After } from "../controller/index.ts";
import { Silence } from "./silence.ts";

export interface PulseOptions {
  readonly silenceMs: number;
  readonly after: After;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Asks the server, beside the watch, whether anything was stored since the watch began. May reject: nobody knows. */
  readonly ask: () => Promise<"Same" | "Moved">;
  /** Called once. */
  readonly onDead: () => void;
}

/** Of the time after which a silent watch counts as dead. */
const ASK_AT = 0.4;

/**
 * Whether a watch is alive. kube-apiserver sends a bookmark on each watch every 59 to 62 s (1.36; the period is a
 * constant of its watch cache), so a longer silence means a dead connection. But it leaves out bookmarks until its cache
 * is ahead of the version that the watch began at, and the cache of a kind of which nothing changes moves only when etcd
 * says so (--watch-progress-notify-interval: ten minutes, where nobody set it) or somebody lists the kind. So, until a
 * watch has said something, it is asked beside it for the newest version: that makes the cache move and a bookmark come,
 * and where nothing at all was stored since, silence is what a healthy watch says.
 */
export class Pulse {
  readonly #options: PulseOptions;
  readonly #silence: Silence;
  #cancelAsk = (): void => {};
  #isOver = false;

  constructor(options: PulseOptions) {
    this.#options = options;
    const { silenceMs, after, now, onDead } = options;
    this.#silence = new Silence({ silenceMs, after, now, onSilence: onDead });
    this.#askLater();
  }

  /** The watch has said something: from now on its bookmarks come. */
  heard(): void {
    this.#silence.heard();
    this.#cancelAsk();
  }

  stop(): void {
    this.#isOver = true;
    this.#silence.stop();
    this.#cancelAsk();
  }

  #askLater(): void {
    const { silenceMs, after } = this.#options;
    this.#cancelAsk = after(silenceMs * ASK_AT, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const answer = await this.#options.ask().catch(() => "Unknown");
    if (this.#isOver || answer !== "Same") return;
    this.#silence.heard();
    this.#askLater();
  }
}
