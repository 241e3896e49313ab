import type { AcceptingBackends } from "./accepting-backends.ts";
import type { Asked, BackendChoice } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { suitableFrom } from "./suitable.ts";

/** Who carries the fewest leases, of equals one at random. */
export class LeastTunnels implements BackendChoice {
  readonly #accepting: AcceptingBackends;
  readonly #random: () => number;

  constructor(accepting: AcceptingBackends, random: () => number) {
    this.#accepting = accepting;
    this.#random = random;
  }

  pick(asked: Asked): BackendState | undefined {
    // Looks at no more than at those that do not suit, and one.
    for (let level = this.#accepting.lowest; level !== undefined; level = level.higher) {
      const { members } = level;
      const index = suitableFrom(members, Math.floor(this.#random() * members.length), asked);
      if (index !== -1) return members[index];
    }
    return undefined;
  }
}
