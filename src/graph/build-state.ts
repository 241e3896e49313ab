import type { CompiledRoute } from "./compiled-route.ts";
import type { HostClaim } from "./hosts.ts";
import { NamedUpstreams } from "./named-upstreams.ts";
import type { RefFault } from "./ref-faults.ts";
import type { BackendRef, RouteFacts } from "./route-facts.ts";
import { SeenList } from "./seen-list.ts";
import type { Condition, GraphOptions, NamespacedName, RouteGraph, RouteNode } from "./types.ts";

/** A route of ours, before it is known what others take from it. */
export interface ReadRoute {
  readonly facts: RouteFacts;
  /** Why it is not accepted, all three conditions; undefined = it is. */
  readonly refusal: readonly Condition[] | undefined;
  readonly faults: readonly RefFault[];
  /** What the table gets of it. */
  readonly compiled: CompiledRoute;
  /** The backendRefs that it may make. */
  readonly named: readonly BackendRef[];
}

/** A route object and what was made of it. */
export interface KnownRoute {
  readonly object: unknown;
  readonly className: string | undefined;
  /** undefined: it was never looked at, being of a class that is not ours. */
  readonly facts: RouteFacts | undefined;
  /** undefined: it is not ours. */
  readonly read: ReadRoute | undefined;
}

/** A route that means something else than in the last build; undefined = it was not there, or not ours. */
export interface RouteChange {
  readonly name: NamespacedName;
  readonly before: ReadRoute | undefined;
  readonly after: ReadRoute | undefined;
}

/**
 * What a build leaves for the next one. It speaks of the objects of the last snapshot and of nothing older. Only a build
 * changes it, and what a graph was given of it is replaced, never changed.
 */
export interface BuildState {
  readonly options: GraphOptions;
  readonly seen: Readonly<Record<"routes" | "services" | "classes" | "grants", SeenList>>;
  readonly routes: Map<NamespacedName, KnownRoute>;
  readonly named: NamedUpstreams;
  readonly claims: Map<string, HostClaim>;
  nodes: ReadonlyMap<NamespacedName, RouteNode>;
  hosts: RouteGraph["hosts"];
}

/** Before the first build. */
export function newBuildState(options: GraphOptions): BuildState {
  const seen = { routes: new SeenList(), services: new SeenList(), classes: new SeenList(), grants: new SeenList() };
  return {
    options,
    seen,
    routes: new Map(),
    named: new NamedUpstreams(),
    claims: new Map(),
    nodes: new Map(),
    hosts: new Map(),
  };
}

/** Whether a state that was built with one serves a build with the other. */
export function isSameOptions(a: GraphOptions, b: GraphOptions): boolean {
  return (
    a.ingressClassName === b.ingressClassName &&
    a.classless === b.classless &&
    a.anyHostNamespaces === b.anyHostNamespaces &&
    a.externalNames === b.externalNames &&
    a.affinity === b.affinity
  );
}
