import type { BuildState, KnownRoute, ReadRoute, RouteChange } from "./build-state.ts";
import type { GraphCache } from "./cache.ts";
import { readClasses, type ServedClasses } from "./classes.ts";
import { NOTHING_COMPILED } from "./compiled-route.ts";
import { refusalOf } from "./nodes.ts";
import { References } from "./references.ts";
import { classOf, keepEntries, readRoute, type RouteFacts } from "./route-facts.ts";
import type { ClusterSnapshot, NamespacedName } from "./types.ts";

/** What one build reads routes with. */
interface Reader {
  readonly cache: GraphCache;
  readonly state: BuildState;
  readonly classes: ServedClasses;
  readonly references: References;
}

/**
 * The routes that mean something else than in the build that left the state, which knows them from now on. Read again
 * are those that came, went or were edited, and those that something changed for: a class, a grant, their Service.
 */
export function readChanges(snapshot: ClusterSnapshot, cache: GraphCache, state: BuildState): readonly RouteChange[] {
  const listed = snapshot.list("WebSocketRoute");
  const classes = readClasses(snapshot, state.options, cache.classes);
  const reader = { cache, state, classes, references: new References(snapshot, state.options, cache) };
  const changes: RouteChange[] = [];
  for (const name of namesToRead(snapshot, state)) {
    const before = state.routes.get(name)?.read;
    const after = readOne(name, listed.get(name), reader);
    if (!isSameMeaning(before, after)) changes.push({ name, before, after });
  }
  return changes;
}

function namesToRead(snapshot: ClusterSnapshot, { seen, routes, named }: BuildState): ReadonlySet<NamespacedName> {
  const names = new Set(seen.routes.look(snapshot.list("WebSocketRoute")));
  const services = new Set<NamespacedName>();
  for (const name of seen.services.look(snapshot.list("Service"))) {
    if (named.named.services.has(name)) services.add(name);
  }
  const isEveryClassTheSame = seen.classes.look(snapshot.list("IngressClass")).size === 0;
  const isEveryGrantTheSame = seen.grants.look(snapshot.list("ReferenceGrant")).size === 0;
  if (isEveryClassTheSame && isEveryGrantTheSame && services.size === 0) return names;
  for (const [name, { read }] of routes) {
    if (!isEveryClassTheSame) names.add(name);
    else if (read !== undefined && refersTo(read.facts, isEveryGrantTheSame, services)) names.add(name);
  }
  return names;
}

/** Whether the route names one of these Services, or, when a grant changed, any Service that a grant could be about. */
function refersTo(
  { backendRefs, namespace }: RouteFacts,
  isEveryGrantTheSame: boolean,
  services: ReadonlySet<NamespacedName>,
): boolean {
  return backendRefs.some((ref) => services.has(ref.service) || (!isEveryGrantTheSame && ref.namespace !== namespace));
}

/** undefined: it is gone, or not ours. */
function readOne(name: NamespacedName, object: unknown, reader: Reader): ReadRoute | undefined {
  const { routes } = reader.state;
  if (object === undefined) {
    routes.delete(name);
    return undefined;
  }
  const known = routes.get(name);
  const isSame = known !== undefined && known.object === object;
  const className = isSame ? known.className : classOf(object);
  const isOurs = reader.classes.serves(className);
  const facts = factsOf({ name, object, known, isOurs }, reader.cache);
  const read = isOurs && facts !== undefined ? readServed(facts, reader) : undefined;
  routes.set(name, { object, className, facts, read });
  return read;
}

interface RouteToRead {
  readonly name: NamespacedName;
  readonly object: unknown;
  readonly known: KnownRoute | undefined;
  readonly isOurs: boolean;
}

/** What a route says, read once for each object; one that is not ours is not read. */
function factsOf({ name, object, known, isOurs }: RouteToRead, cache: GraphCache): RouteFacts | undefined {
  const facts = known?.object === object ? known?.facts : undefined;
  if (facts !== undefined || !isOurs) return facts;
  const ahead = cache.ahead.get(name);
  return keepEntries(
    known?.facts,
    ahead !== undefined && ahead.object === object ? ahead.facts : readRoute(name, object),
  );
}

function readServed(facts: RouteFacts, { state, references }: Reader): ReadRoute {
  const refusal = refusalOf(facts, state.options);
  if (refusal !== undefined) return { facts, refusal, faults: [], compiled: NOTHING_COMPILED, named: [] };
  return { facts, refusal, ...references.follow(facts) };
}

/** A route that was read again because of a Service often means what it meant. */
function isSameMeaning(before: ReadRoute | undefined, after: ReadRoute | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  const isAsResolved = before.faults.length === 0 && after.faults.length === 0;
  return before.facts === after.facts && before.compiled === after.compiled && isAsResolved;
}
