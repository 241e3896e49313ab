import type { AcceptingBackends } from "./accepting-backends.ts";
import type { Asked, BackendChoice } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { suitableFrom } from "./suitable.ts";

/** Of two different ones at random, who carries fewer leases ("the power of two choices"). */
export class TwoChoices implements BackendChoice {
  readonly #accepting: AcceptingBackends;
  readonly #random: () => number;

  constructor(accepting: AcceptingBackends, random: () => number) {
    this.#accepting = accepting;
    this.#random = random;
  }

  pick(asked: Asked): BackendState | undefined {
    const { list } = this.#accepting;
    const index = suitableFrom(list, this.#below(list.length), asked);
    const one = list[index];
    if (one === undefined || list.length === 1) return one;
    // From one of the others on. None of them suits: it is the same one again.
    const other = list[suitableFrom(list, index + 1 + this.#below(list.length - 1), asked)];
    return other !== undefined && other.leases < one.leases ? other : one;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
