import type { BuildState } from "./build-state.ts";
import type { ClassFacts } from "./classes.ts";
import type { CompiledRoute, WithheldRoute } from "./compiled-route.ts";
import type { GrantFacts } from "./grants.ts";
import type { RouteFacts } from "./route-facts.ts";
import type { ServiceFacts } from "./service-facts.ts";
import type { SliceFacts } from "./slice-facts.ts";
import type { NamespacedName } from "./types.ts";

/** A route object and what it says. */
interface ReadAhead {
  readonly object: unknown;
  readonly facts: RouteFacts;
}

/**
 * What parsing and compiling made of each object, and what the last build made of all, so that a build costs what
 * changed. A source never changes an object in place, so the same object means the same.
 */
export interface GraphCache {
  readonly services: WeakMap<object, ServiceFacts>;
  readonly slices: WeakMap<object, SliceFacts>;
  readonly classes: WeakMap<object, ClassFacts>;
  readonly grants: WeakMap<object, GrantFacts>;
  /** Routes that were read ahead; the next build empties it. */
  readonly ahead: Map<NamespacedName, ReadAhead>;
  /** Of routes that refer to what they may not: what is served of them, by what would be without that. */
  readonly withheld: WeakMap<CompiledRoute, WithheldRoute>;
  /** What the last build left. undefined: there was none, or it failed half-way. */
  last: BuildState | undefined;
}

/** An empty cache; its owner passes the same one to every build. */
export function newGraphCache(): GraphCache {
  return {
    services: new WeakMap(),
    slices: new WeakMap(),
    classes: new WeakMap(),
    grants: new WeakMap(),
    ahead: new Map(),
    withheld: new WeakMap(),
    last: undefined,
  };
}
