import type { AcceptingBackends } from "./accepting-backends.ts";
import type { Asked, BackendChoice } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { suitableFrom } from "./suitable.ts";

/** One after the other, in the source's order, whatever they carry. The turn goes on over changes of the list. */
export class RoundRobin implements BackendChoice {
  readonly #accepting: AcceptingBackends;
  readonly #random: () => number;
  #list: readonly BackendState[] = [];
  #next = 0;

  /** `random` decides where it begins, so that replicas do not march in step. */
  constructor(accepting: AcceptingBackends, random: () => number) {
    this.#accepting = accepting;
    this.#random = random;
  }

  pick(asked: Asked): BackendState | undefined {
    const { list } = this.#accepting;
    if (list !== this.#list) this.#follow(list);
    const index = suitableFrom(list, this.#next, asked);
    if (index !== -1) this.#next = index + 1;
    return list[index];
  }

  /** Whose turn it was has it still; if it is gone, the first of those behind it that is there. */
  #follow(list: readonly BackendState[]): void {
    const before = this.#list;
    this.#list = list;
    if (before.length === 0) {
      this.#next = Math.floor(this.#random() * list.length);
      return;
    }
    const places = new Map(list.map((backend, index) => [backend, index]));
    for (let step = 0; step < before.length; step++) {
      const waiting = before[(this.#next + step) % before.length];
      const place = waiting === undefined ? undefined : places.get(waiting);
      if (place !== undefined) {
        this.#next = place;
        return;
      }
    }
    this.#next = 0;
  }
}
