import type { AcceptingBackends } from "./accepting-backends.ts";
import type { BackendChoice, Wish } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { untriedFrom } from "./untried.ts";

/** Who carries the fewest leases, of equals one at random. */
export class LeastTunnels implements BackendChoice {
  readonly #accepting: AcceptingBackends;
  readonly #random: () => number;

  constructor(accepting: AcceptingBackends, random: () => number) {
    this.#accepting = accepting;
    this.#random = random;
  }

  pick({ tried }: Pick<Wish, "tried">): BackendState | undefined {
    // Looks at no more levels, and in each at no more members, than were tried, and one.
    for (let level = this.#accepting.lowest; level !== undefined; level = level.higher) {
      const { members } = level;
      const index = untriedFrom(members, Math.floor(this.#random() * members.length), tried);
      if (index !== -1) return members[index];
    }
    return undefined;
  }
}
