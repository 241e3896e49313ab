import type { UpstreamKey } from "../routing/index.ts";
import type { GraphCache } from "./cache.ts";
import { readClasses, type ServedClasses } from "./classes.ts";
import { type CompiledRoute, NOTHING_COMPILED } from "./compiled-route.ts";
import {
  accepted,
  conflicting,
  hostnamesRequired,
  invalid,
  notProgrammed,
  programmed,
  refsNotLookedAt,
  refsResolved,
  refsUnresolved,
} from "./conditions.ts";
import { type HostConflict, settleHosts } from "./hosts.ts";
import type { RefFault } from "./ref-faults.ts";
import { References } from "./references.ts";
import { classOf, keepEntries, readRoute, type RouteFacts } from "./route-facts.ts";
import type { ClusterSnapshot, Condition, GraphOptions, NamespacedName, RouteGraph, RouteNode } from "./types.ts";

/** A route of ours, read, before it is known what others take from it. */
interface ReadRoute {
  readonly facts: RouteFacts;
  /** Why it is not accepted, all three conditions; undefined = it is. */
  readonly refusal: readonly Condition[] | undefined;
  readonly faults: readonly RefFault[];
  readonly compiled: CompiledRoute;
}

/**
 * What the snapshot means: every route of our class with its conditions, and the table of all of them. Pure, and never
 * throws on what a user wrote. With the cache of the build before, objects that did not change are not read again and
 * keep their rules and entries, so that lists compare by identity.
 */
export function buildRouteGraph(snapshot: ClusterSnapshot, options: GraphOptions, cache: GraphCache): RouteGraph {
  const classes = readClasses(snapshot, options, cache.classes);
  const references = new References(snapshot, options, cache);
  const ours: ReadRoute[] = [];
  const claims = new Map<string, CompiledRoute[]>();
  const listed = snapshot.list("WebSocketRoute");
  for (const [name, object] of listed) {
    const facts = factsOf(name, object, classes, cache);
    if (facts === undefined) continue;
    const refusal = refusalOf(facts, options);
    const served = refusal === undefined ? references.follow(facts) : { faults: [], compiled: NOTHING_COMPILED };
    ours.push({ facts, refusal, ...served });
    if (refusal === undefined) claimHosts(claims, facts.hosts, served.compiled);
  }
  forgetAllBut(listed, cache);
  const { hosts, lost } = settleHosts(claims, cache.hosts);
  const routes = new Map(ours.map((route) => [route.facts.name, nodeOf(route, lost.get(route.facts.name) ?? [])]));
  const { upstreams, upstreamsOf } = references;
  return { routes, upstreams, upstreamsOf, services: new Set(upstreamsOf.keys()), hosts };
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
  classes: ServedClasses,
  { routes }: GraphCache,
): RouteFacts | undefined {
  const known = routes.get(name);
  const isSame = known !== undefined && known.object === object;
  const className = isSame ? known.className : classOf(object);
  const isOurs = classes.serves(className);
  if (isSame && (known.facts !== undefined || !isOurs)) return isOurs ? known.facts : undefined;
  const facts = isOurs ? keepEntries(known?.facts, readRoute(name, object)) : undefined;
  routes.set(name, { object, className, facts });
  return facts;
}

function refusalOf(
  { faults, isHostless, namespace }: RouteFacts,
  { anyHostNamespaces }: GraphOptions,
): readonly Condition[] | undefined {
  if (faults !== undefined) return [invalid(faults), refsNotLookedAt("Invalid"), notProgrammed("Invalid")];
  if (!isHostless || anyHostNamespaces === "all" || anyHostNamespaces.has(namespace)) return undefined;
  return [hostnamesRequired(namespace), refsNotLookedAt("HostnamesRequired"), notProgrammed("HostnamesRequired")];
}

function claimHosts(claims: Map<string, CompiledRoute[]>, hosts: readonly string[], compiled: CompiledRoute): void {
  for (const host of hosts) {
    const claimants = claims.get(host);
    if (claimants === undefined) claims.set(host, [compiled]);
    else claimants.push(compiled);
  }
}

function forgetAllBut(listed: ReadonlyMap<NamespacedName, unknown>, { routes }: GraphCache): void {
  if (routes.size <= listed.size) return;
  for (const name of routes.keys()) if (!listed.has(name)) routes.delete(name);
}

const ACCEPTED = accepted();
const RESOLVED = refsResolved();
const PROGRAMMED = programmed();
const SERVED: readonly Condition[] = [ACCEPTED, RESOLVED, PROGRAMMED];

function nodeOf({ facts, refusal, faults, compiled }: ReadRoute, lost: readonly HostConflict[]): RouteNode {
  const { name, uid, generation, hosts } = facts;
  const { rules, upstreams } = compiled;
  const total = hosts.length * compiled.entries.length;
  const conditions = refusal ?? conditionsOf(faults, lost, total);
  return { name, uid, generation, rules, upstreams, conditions };
}

function conditionsOf(faults: readonly RefFault[], lost: readonly HostConflict[], total: number): readonly Condition[] {
  const [first, ...more] = faults;
  if (first === undefined && lost.length === 0) return SERVED;
  return [
    ACCEPTED,
    first === undefined ? RESOLVED : refsUnresolved([first, ...more]),
    lost.length === 0 ? PROGRAMMED : conflicting(lost, total),
  ];
}
