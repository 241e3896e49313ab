import type { RouteFacts } from "./route-facts.ts";
import type { ServiceFacts } from "./service-facts.ts";
import type { SliceFacts } from "./slice-facts.ts";

/**
 * What parsing and compiling made of each object, so that a build over unchanged objects only puts things together.
 * Keyed by the object itself, which a source never changes in place; forgotten with it.
 */
export interface GraphCache {
  readonly routes: WeakMap<object, RouteFacts>;
  readonly services: WeakMap<object, ServiceFacts>;
  readonly slices: WeakMap<object, SliceFacts>;
  /** Of each route as it was in the build before. */
  readonly latest: Map<string, RouteFacts>;
}

/** An empty cache; its owner passes the same one to every build. */
export function newGraphCache(): GraphCache {
  return { routes: new WeakMap(), services: new WeakMap(), slices: new WeakMap(), latest: new Map() };
}

/** What was made of this object before, else what `make` makes now. What is no object is made anew each time. */
export function remembered<Facts>(known: WeakMap<object, Facts>, object: unknown, make: () => Facts): Facts {
  if (typeof object !== "object" || object === null) return make();
  const before = known.get(object);
  if (before !== undefined) return before;
  const facts = make();
  known.set(object, facts);
  return facts;
}
