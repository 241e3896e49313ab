import { InStep } from "./in-step.ts";
import type { NamespacedName } from "./types.ts";

const NOTHING: ReadonlySet<NamespacedName> = new Set();

/**
 * The objects of one kind as the last build saw them. Holds them until the next look: what left the source in between is
 * kept no longer than that.
 */
export class SeenList {
  readonly #seen = new Map<NamespacedName, unknown>();

  /** The names that came, went, or have another object since the last look. */
  look(list: ReadonlyMap<NamespacedName, unknown>): ReadonlySet<NamespacedName> {
    const changed = this.#changesIn(list);
    for (const name of changed) {
      const object = list.get(name);
      if (object === undefined) this.#seen.delete(name);
      else this.#seen.set(name, object);
    }
    return changed;
  }

  #changesIn(list: ReadonlyMap<NamespacedName, unknown>): ReadonlySet<NamespacedName> {
    let changed: Set<NamespacedName> | undefined;
    let known = 0;
    const seen = new InStep(this.#seen);
    for (const [name, object] of list) {
      const before = seen.get(name);
      if (before !== undefined) known += 1;
      if (before !== object) changed = (changed ?? new Set()).add(name);
    }
    if (known === this.#seen.size) return changed ?? NOTHING;
    changed ??= new Set();
    for (const name of this.#seen.keys()) if (!list.has(name)) changed.add(name);
    return changed;
  }
}
