import type { BackendState } from "./backend-state.ts";
import type { BackendId } from "./types.ts";

/** The index of the first one from `start` on, around the end, that was not tried; -1 = all were. */
export function untriedFrom(list: readonly BackendState[], start: number, tried: ReadonlySet<BackendId>): number {
  if (tried.size === 0) return list.length === 0 ? -1 : start % list.length;
  for (let step = 0; step < list.length; step++) {
    const index = (start + step) % list.length;
    const backend = list[index];
    if (backend !== undefined && !tried.has(backend.backend.id)) return index;
  }
  return -1;
}
