import type { AcceptingBackends } from "./accepting-backends.ts";
import type { Asked, BackendChoice } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { HashRing } from "./hash-ring.ts";

/** What a backend may carry, in means of all that accept. */
const LOAD_FACTOR = 1.25;
/** Points of the ring looked at for one request. So few of them suit only where most backends are out. */
const MOST_STEPS = 1024;

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

  /** `otherwise` chooses for requests that have nothing to hash on, and when none of those that may take more suits. */
  constructor(accepting: AcceptingBackends, otherwise: BackendChoice) {
    this.#accepting = accepting;
    this.#otherwise = otherwise;
  }

  pick(asked: Asked): BackendState | undefined {
    const { hashKey } = asked;
    if (hashKey === undefined) return this.#otherwise.pick(asked);
    const { list, leases } = this.#accepting;
    // Only upstreams that are hashed have a ring, and only changes that a request meets change it.
    if (list !== this.#list) {
      this.#ring.replace(list);
      this.#list = list;
    }
    const most = Math.ceil((LOAD_FACTOR * (leases + 1)) / list.length);
    const start = this.#ring.placeOf(hashKey);
    // At most four of five can be at the bound, wherever they stand: a few steps nearly always.
    for (let step = 0; step < Math.min(this.#ring.size, MOST_STEPS); step++) {
      const backend = this.#ring.ownerAt(start + step);
      if (backend !== undefined && backend.leases < most && asked.suits(backend)) return backend;
    }
    return this.#otherwise.pick(asked);
  }
}
