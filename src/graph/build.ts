import type { CompiledEntry, UpstreamKey } from "../routing/index.ts";
import { type GraphCache, remembered } from "./cache.ts";
import {
  accepted,
  backendNotFound,
  invalid,
  invalidBackend,
  notProgrammed,
  portNotFound,
  programmed,
  type RefFault,
  refsNotLookedAt,
  refsResolved,
  refsUnresolved,
} from "./conditions.ts";
import { inOrder } from "./precedence.ts";
import { type BackendRef, classOf, keepEntries, readRoute, type RouteFacts } from "./route-facts.ts";
import { findPort, readService } from "./service-facts.ts";
import type { ClusterSnapshot, Condition, GraphOptions, NamespacedName, RouteGraph, RouteNode } from "./types.ts";

/**
 * What the snapshot means: every route of our class with its conditions, and the table of all of them. Pure, and never
 * throws on what a user wrote. With the cache of the build before, objects that did not change are not read again and
 * keep their rules and entries, so that lists compare by identity.
 */
export function buildRouteGraph(snapshot: ClusterSnapshot, options: GraphOptions, cache: GraphCache): RouteGraph {
  const routes = new Map<NamespacedName, RouteNode>();
  const claims = new Map<string, RouteFacts[]>();
  const references = new References(snapshot, cache);
  const listed = snapshot.list("WebSocketRoute");
  for (const [name, object] of listed) {
    const facts = factsOf(name, object, options, cache);
    if (facts === undefined) continue;
    const { generation, rules } = facts;
    routes.set(name, { name, generation, rules, conditions: conditionsOf(facts, references) });
    for (const host of facts.hosts) {
      const claimants = claims.get(host);
      if (claimants === undefined) claims.set(host, [facts]);
      else claimants.push(facts);
    }
  }
  if (cache.routes.size > listed.size) {
    for (const name of cache.routes.keys()) if (!listed.has(name)) cache.routes.delete(name);
  }
  const { upstreams, upstreamsOf } = references;
  return { routes, upstreams, upstreamsOf, services: new Set(upstreamsOf.keys()), hosts: settle(claims) };
}

/** The upstreams of a Service that rules name; empty when no rule names the Service. */
export function upstreamsOfService(
  graph: Pick<RouteGraph, "upstreamsOf">,
  service: NamespacedName,
): readonly UpstreamKey[] {
  return graph.upstreamsOf.get(service) ?? [];
}

/** What a route says, read once for each object; undefined when it is of a class that is not ours. */
function factsOf(
  name: NamespacedName,
  object: unknown,
  { ingressClassName }: GraphOptions,
  cache: GraphCache,
): RouteFacts | undefined {
  const known = cache.routes.get(name);
  if (known?.object === object && known?.className === ingressClassName) return known.facts;
  const className = classOf(object);
  const isOurs = className === undefined || className === ingressClassName;
  const facts = isOurs ? keepEntries(known?.facts, readRoute(name, object)) : undefined;
  cache.routes.set(name, { object, className: ingressClassName, facts });
  return facts;
}

const SERVED: readonly Condition[] = [accepted(), refsResolved(), programmed()];

function conditionsOf(facts: RouteFacts, references: References): readonly Condition[] {
  if (facts.faults !== undefined) return [invalid(facts.faults), refsNotLookedAt(), notProgrammed()];
  const faults: RefFault[] = [];
  for (const ref of facts.backendRefs) {
    const fault = references.follow(ref);
    if (fault !== undefined) faults.push(fault);
  }
  const [first, ...more] = faults;
  return first === undefined ? SERVED : [accepted(), refsUnresolved([first, ...more]), programmed()];
}

/** Each host's entries in order of precedence; a host of one route only has that route's own list. */
function settle(claims: ReadonlyMap<string, readonly RouteFacts[]>): RouteGraph["hosts"] {
  const hosts = new Map<string, readonly CompiledEntry[]>();
  for (const [host, claimants] of claims) {
    const only = claimants.length === 1 ? claimants[0] : undefined;
    hosts.set(host, only?.ordered ?? inOrder(claimants.flatMap(({ entries }) => entries)));
  }
  return hosts;
}

/** Follows backendRefs to Services and remembers what was named, found or not. */
class References {
  readonly upstreams = new Set<UpstreamKey>();
  readonly upstreamsOf = new Map<NamespacedName, UpstreamKey[]>();
  readonly #services: ReadonlyMap<NamespacedName, unknown>;
  readonly #cache: GraphCache;

  constructor(snapshot: ClusterSnapshot, cache: GraphCache) {
    this.#services = snapshot.list("Service");
    this.#cache = cache;
  }

  /** What is wrong with the reference; undefined = nothing. */
  follow({ field, service, port, upstream }: BackendRef): RefFault | undefined {
    this.#note(service, upstream);
    const object = this.#services.get(service);
    if (object === undefined) return backendNotFound(field, service);
    const facts = remembered(this.#cache.services, object, () => readService(object));
    if (facts.faults !== undefined) return invalidBackend(field, service, facts.faults);
    if (findPort(facts, port) !== undefined) return undefined;
    const ports = facts.ports.map((known) => (known.name === "" ? `${known.port}` : `${known.port} (${known.name})`));
    return portNotFound({ field, service, port, ports });
  }

  #note(service: NamespacedName, upstream: UpstreamKey): void {
    const before = this.upstreams.size;
    if (this.upstreams.add(upstream).size === before) return;
    const known = this.upstreamsOf.get(service);
    if (known === undefined) this.upstreamsOf.set(service, [upstream]);
    else known.push(upstream);
  }
}
