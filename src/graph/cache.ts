import type { ClassFacts } from "./classes.ts";
import type { CompiledRoute, WithheldRoute } from "./compiled-route.ts";
import type { GrantFacts } from "./grants.ts";
import type { SettledHost } from "./hosts.ts";
import type { RouteFacts } from "./route-facts.ts";
import type { ServiceFacts } from "./service-facts.ts";
import type { SliceFacts } from "./slice-facts.ts";
import type { NamespacedName } from "./types.ts";

/** A route object and what was made of it; no facts = it was never looked at, being of a class that is not ours. */
interface KnownRoute {
  readonly object: unknown;
  readonly className: string | undefined;
  readonly facts: RouteFacts | undefined;
}

/**
 * What parsing and compiling made of each object, so that a build over unchanged objects only puts things together.
 * A source never changes an object in place, so the same object means the same.
 */
export interface GraphCache {
  readonly services: WeakMap<object, ServiceFacts>;
  readonly slices: WeakMap<object, SliceFacts>;
  readonly classes: WeakMap<object, ClassFacts>;
  readonly grants: WeakMap<object, GrantFacts>;
  /** Each route as the last build knew it, by name. */
  readonly routes: Map<NamespacedName, KnownRoute>;
  /** Of routes that refer to what they may not: what is served of them, by what would be without that. */
  readonly withheld: WeakMap<CompiledRoute, WithheldRoute>;
  /** Hosts that several routes claim, as the last build settled them. */
  readonly hosts: Map<string, SettledHost>;
}

/** An empty cache; its owner passes the same one to every build. */
export function newGraphCache(): GraphCache {
  return {
    services: new WeakMap(),
    slices: new WeakMap(),
    classes: new WeakMap(),
    grants: new WeakMap(),
    routes: new Map(),
    withheld: new WeakMap(),
    hosts: new Map(),
  };
}
