import type { UpstreamKey } from "../routing/index.ts";
import { compareText } from "./precedence.ts";
import type { BackendRef } from "./route-facts.ts";
import type { NamespacedName, RouteGraph } from "./types.ts";

type Named = Pick<RouteGraph, "upstreams" | "services" | "upstreamsOf">;

/** What a route named before, and what it names now. */
interface NamedChange {
  readonly before: { readonly named: readonly BackendRef[] } | undefined;
  readonly after: { readonly named: readonly BackendRef[] } | undefined;
}

/** Counts which upstreams the rules of all routes name, so that a change costs what it changes. */
export class NamedUpstreams {
  readonly #counts = new Map<UpstreamKey, number>();
  #named: Named = { upstreams: new Set(), services: new Set(), upstreamsOf: new Map() };

  /** As of the last `follow`; the same sets as long as they hold the same. */
  get named(): Named {
    return this.#named;
  }

  follow(changes: readonly NamedChange[]): void {
    const touched = new Map<UpstreamKey, NamespacedName>();
    for (const { before, after } of changes) {
      if (before?.named === after?.named) continue;
      for (const ref of after?.named ?? []) this.#count(ref, 1, touched);
      for (const ref of before?.named ?? []) this.#count(ref, -1, touched);
    }
    const { upstreams } = this.#named;
    const turned = [...touched].filter(([upstream]) => this.#counts.has(upstream) !== upstreams.has(upstream));
    if (turned.length > 0) this.#named = this.#turn(turned);
  }

  #count({ upstream, service }: BackendRef, by: 1 | -1, touched: Map<UpstreamKey, NamespacedName>): void {
    const count = (this.#counts.get(upstream) ?? 0) + by;
    if (count === 0) this.#counts.delete(upstream);
    else this.#counts.set(upstream, count);
    touched.set(upstream, service);
  }

  /** With those that became named, and without those that ceased to be. */
  #turn(turned: readonly (readonly [UpstreamKey, NamespacedName])[]): Named {
    const upstreams = new Set(this.#named.upstreams);
    const services = new Set(this.#named.services);
    const upstreamsOf = new Map(this.#named.upstreamsOf);
    for (const [upstream, service] of turned) {
      const others = (upstreamsOf.get(service) ?? []).filter((other) => other !== upstream);
      const isNamed = this.#counts.has(upstream);
      if (isNamed) upstreams.add(upstream);
      else upstreams.delete(upstream);
      if (isNamed) upstreamsOf.set(service, [...others, upstream].sort(compareText));
      else if (others.length > 0) upstreamsOf.set(service, others);
      else upstreamsOf.delete(service);
      if (upstreamsOf.has(service)) services.add(service);
      else services.delete(service);
    }
    return { upstreams, services, upstreamsOf };
  }
}
