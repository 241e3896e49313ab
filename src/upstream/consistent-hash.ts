import type { AcceptingBackends } from "./accepting-backends.ts";
import type { BackendChoice, Wish } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { HashRing } from "./hash-ring.ts";

/** What a backend may carry, in means of all that accept. */
const LOAD_FACTOR = 1.25;

/**
 * The same key, the same backend: the first on the ring from the key's place on that would carry at most 1.25 times the
 * mean, rounded up, with this lease. What it may not take goes to the next on the ring, so that one busy key, or many
 * that meet, cannot fill one backend.
 */
export class ConsistentHash implements BackendChoice {
  readonly #accepting: AcceptingBackends;
  readonly #otherwise: BackendChoice;
  readonly #ring = new HashRing();
  #list: readonly BackendState[] = [];

  /** `otherwise` chooses for requests that have nothing to hash on, and when all that might take more were tried. */
  constructor(accepting: AcceptingBackends, otherwise: BackendChoice) {
    this.#accepting = accepting;
    this.#otherwise = otherwise;
  }

  pick(wish: Wish): BackendState | undefined {
    const { hashKey, tried } = wish;
    if (hashKey === undefined) return this.#otherwise.pick(wish);
    const { list, leases } = this.#accepting;
    // Only upstreams that are hashed have a ring, and only changes that a request meets change it.
    if (list !== this.#list) {
      this.#ring.replace(list);
      this.#list = list;
    }
    const most = Math.ceil((LOAD_FACTOR * (leases + 1)) / list.length);
    const start = this.#ring.placeOf(hashKey);
    // At most four of five can be full, wherever they stand: a few steps nearly always.
    for (let step = 0; step < this.#ring.size; step++) {
      const backend = this.#ring.ownerAt(start + step);
      if (backend !== undefined && backend.leases < most && !tried.has(backend.backend.id)) return backend;
    }
    return this.#otherwise.pick(wish);
  }
}
