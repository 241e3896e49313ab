import type { Asked } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";

/** The index of the first one from `start` on, around the end, that suits; -1 = none does. */
export function suitableFrom(list: readonly BackendState[], start: number, asked: Asked): number {
  for (let step = 0; step < list.length; step++) {
    const index = (start + step) % list.length;
    const backend = list[index];
    if (backend !== undefined && asked.suits(backend)) return index;
  }
  return -1;
}
