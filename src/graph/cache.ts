import type { RouteFacts } from "./route-facts.ts";
import type { ServiceFacts } from "./service-facts.ts";
import type { SliceFacts } from "./slice-facts.ts";
import type { NamespacedName } from "./types.ts";

/** A route object and what was made of it when `className` was our class; no facts = the route is not ours. */
interface KnownRoute {
  readonly object: unknown;
  readonly className: string;
  readonly facts: RouteFacts | undefined;
}

/**
 * What parsing and compiling made of each object, so that a build over unchanged objects only puts things together.
 * A source never changes an object in place, so the same object means the same.
 */
export interface GraphCache {
  readonly services: WeakMap<object, ServiceFacts>;
  readonly slices: WeakMap<object, SliceFacts>;
  /** Each route as the last build knew it, by name. */
  readonly routes: Map<NamespacedName, KnownRoute>;
}

/** An empty cache; its owner passes the same one to every build. */
export function newGraphCache(): GraphCache {
  return { routes: new Map(), services: new WeakMap(), slices: new WeakMap() };
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
