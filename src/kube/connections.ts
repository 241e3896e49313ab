import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Access } from "./access.ts";

type AnyAgent = HttpAgent | HttpsAgent;

interface Shared {
  readonly key: string;
  readonly agent: AnyAgent;
  users: number;
  isRetired: boolean;
}

/** A connection's place while a request uses it. */
export interface ConnectionUse {
  readonly agent: AnyAgent;
  release(): void;
}

const MOST_IDLE = 4;

/**
 * Connections that are kept for the next request. Those that were opened with other certificates than the newest are
 * closed after the last request on them.
 */
export class Connections {
  #newest: Shared | undefined;

  use(access: Access): ConnectionUse {
    const shared = this.#sharedFor(access);
    shared.users += 1;
    return {
      agent: shared.agent,
      release: () => {
        shared.users -= 1;
        if (shared.isRetired && shared.users === 0) shared.agent.destroy();
      },
    };
  }

  /** Nothing is kept any more; requests under way go on. */
  close(): void {
    if (this.#newest !== undefined) retire(this.#newest);
    this.#newest = undefined;
  }

  #sharedFor(access: Access): Shared {
    if (this.#newest?.key === access.connectionKey) return this.#newest;
    this.close();
    const shared: Shared = { key: access.connectionKey, agent: agentFor(access), users: 0, isRetired: false };
    this.#newest = shared;
    return shared;
  }
}

function retire(shared: Shared): void {
  shared.isRetired = true;
  if (shared.users === 0) shared.agent.destroy();
}

function agentFor({ server, proxyAgent, tls }: Access): AnyAgent {
  if (proxyAgent !== undefined) return proxyAgent;
  const kept = { keepAlive: true, maxFreeSockets: MOST_IDLE };
  return server.protocol === "http:" ? new HttpAgent(kept) : new HttpsAgent({ ...kept, ...tls });
}
