import type { UpstreamKey } from "../routing/index.ts";
import { AcceptingBackends } from "./accepting-backends.ts";
import { BackendChoices } from "./backend-choices.ts";
import type { BackendState, LeaseKeeper } from "./backend-state.ts";
import type { Doubts } from "./doubts.ts";
import type { BackendId } from "./types.ts";

export interface UpstreamSurroundings {
  /** 0 to below 1. */
  readonly random: () => number;
  /** Of all upstreams: a backend is the same in each of them. */
  readonly doubts: Doubts;
  readonly onIdle: (backend: BackendState) => void;
}

/** What is known of one upstream; outlives the rules that name it while something holds a lease. */
export class UpstreamState implements LeaseKeeper {
  readonly key: UpstreamKey;
  /** Listed ones and those that leases still hold. */
  readonly backends = new Map<BackendId, BackendState>();
  /** Those that take new tunnels, in the source's order. */
  readonly accepting = new AcceptingBackends();
  readonly choices: BackendChoices;
  /** No rule names it any more. */
  isForsaken = false;
  readonly #doubts: Doubts;
  readonly #onIdle: (backend: BackendState) => void;

  /** `onIdle` is called when a release leaves a backend without any lease. */
  constructor(key: UpstreamKey, { random, doubts, onIdle }: UpstreamSurroundings) {
    this.key = key;
    this.choices = new BackendChoices(this.accepting, random);
    this.#doubts = doubts;
    this.#onIdle = onIdle;
  }

  /** To be called when a backend came, or may have begun or ceased to accept. */
  reviewAccepting(): void {
    this.accepting.replace([...this.backends.values()].filter((backend) => backend.isAccepting));
  }

  raised(backend: BackendState): void {
    this.accepting.raised(backend);
  }

  answered({ backend }: BackendState): void {
    this.#doubts.dispel(backend.id);
  }

  failed({ backend }: BackendState): void {
    this.#doubts.failed(backend.id);
  }

  lowered(backend: BackendState): void {
    this.accepting.lowered(backend);
    if (backend.isIdle) this.#onIdle(backend);
  }
}
