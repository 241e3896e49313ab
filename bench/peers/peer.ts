import { processTree } from "./process-tree.ts";
import type { Child } from "./child.ts";
import { untilUpgrades } from "./upgrade-probe.ts";

export const PEER_NAMES = ["nginx", "haproxy", "http-proxy-3", "holdfast"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Where and for whom a proxy is started. */
export interface PeerPlace {
  /** A port of 127.0.0.1 that serves WebSocket. */
  readonly backendPort: number;
  /** An empty folder of its own for configuration, logs and pid files; the caller removes it. */
  readonly folder: string;
  /** Words put before the command line, to hold it to a core; may be empty. */
  readonly pin: readonly string[];
}

/** A proxy that can be measured. */
export interface Peer {
  readonly name: PeerName;
  /** As it says it itself; undefined when the machine does not have it. */
  version(): string | undefined;
  /** What to do about a missing one. */
  readonly howToGet: string;
  /** Started and proved to carry an upgrade to the backend; throws with its own words when it does not. */
  start(place: PeerPlace): Promise<RunningPeer>;
}

/** A proxy that serves. Disposing of it ends every process of it and waits for that. */
export class RunningPeer implements AsyncDisposable {
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly #child: Child;

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Waits until an upgrade passes through `port`; ends the process when that fails. */
  static async of(child: Child, port: (child: Child) => Promise<number> | number): Promise<RunningPeer> {
    try {
      const found = await port(child);
      await untilUpgrades(child, found);
      return new RunningPeer(child, found);
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Every process of it, masters and workers; their threads count with them. */
  pids(): readonly number[] {
    return processTree(this.pid).map(({ pid }) => pid);
  }

  /** The end of what it said. */
  lastWords(): string {
    return this.#child.output().slice(-1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
