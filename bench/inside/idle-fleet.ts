import { Forked } from "./forked.ts";
import type { ProxyOrder } from "./idle-proxy.ts";

/**
 * Idle tunnels and what they go through: clients and backend in one process, and a proxy alone in another, so that
 * memory and processor time of that one are the data path's.
 */
export class IdleFleet implements Disposable {
  readonly #peers: Forked;
  readonly #proxy: Forked;
  readonly #port: number;

  private constructor(peers: Forked, proxy: Forked, port: number) {
    this.#peers = peers;
    this.#proxy = proxy;
    this.#port = port;
  }

  /** @param pingMs Of the rule that tunnels open under; 0 = its clients are not asked. */
  static async start(pingMs: number): Promise<IdleFleet> {
    const peers = Forked.start(new URL("./idle-peers.ts", import.meta.url));
    try {
      const backendPort = await peers.answer<number>();
      const proxy = Forked.start(new URL("./idle-proxy.ts", import.meta.url), [String(backendPort), String(pingMs)]);
      try {
        return new IdleFleet(peers, proxy, await proxy.answer<number>());
      } catch (error) {
        proxy[Symbol.dispose]();
        throw error;
      }
    } catch (error) {
      peers[Symbol.dispose]();
      throw error;
    }
  }

  /** Opens more, until there are so many. */
  async openUpTo(count: number): Promise<void> {
    const opened = await this.#peers.ask<number>({ count, port: this.#port });
    if (opened !== count) throw new Error(`${opened} tunnels instead of ${count}`);
  }

  async ask<Answer>(order: ProxyOrder): Promise<Answer> {
    return this.#proxy.ask<Answer>(order);
  }

  [Symbol.dispose](): void {
    this.#proxy[Symbol.dispose]();
    this.#peers[Symbol.dispose]();
  }
}
