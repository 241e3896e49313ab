import type { ReadRoute } from "./build-state.ts";
import {
  accepted,
  affinityWithoutKey,
  conflicting,
  hostnamesRequired,
  invalid,
  notProgrammed,
  programmed,
  refsNotLookedAt,
  refsResolved,
  refsUnresolved,
} from "./conditions.ts";
import type { HostConflict } from "./hosts.ts";
import type { RefFault } from "./ref-faults.ts";
import type { RouteFacts } from "./route-facts.ts";
import type { Condition, GraphOptions, RouteNode } from "./types.ts";

const ACCEPTED = accepted();
const RESOLVED = refsResolved();
const PROGRAMMED = programmed();
const SERVED: readonly Condition[] = [ACCEPTED, RESOLVED, PROGRAMMED];

/** All three conditions of a route that is not accepted; undefined = it is. */
export function refusalOf(
  { faults, isHostless, namespace }: RouteFacts,
  { anyHostNamespaces }: GraphOptions,
): readonly Condition[] | undefined {
  if (faults !== undefined) return [invalid(faults), refsNotLookedAt("Invalid"), notProgrammed("Invalid")];
  if (!isHostless || anyHostNamespaces === "all" || anyHostNamespaces.has(namespace)) return undefined;
  return [hostnamesRequired(namespace), refsNotLookedAt("HostnamesRequired"), notProgrammed("HostnamesRequired")];
}

/** What the graph says of a route that lost these to others. */
export function nodeOf(
  { facts, refusal, faults, compiled }: ReadRoute,
  lost: readonly HostConflict[],
  { affinity }: GraphOptions,
): RouteNode {
  const { name, uid, generation, hosts } = facts;
  const { rules, upstreams } = compiled;
  const total = hosts.length * compiled.entries.length;
  const served = lost.length > 0 ? conflicting(lost, total) : boundOrNot(rules, affinity);
  const conditions = refusal ?? conditionsOf(faults, served);
  return { name, uid, generation, rules, upstreams, conditions };
}

function boundOrNot(rules: RouteNode["rules"], affinity: GraphOptions["affinity"]): Condition {
  if (affinity === "Keyed") return PROGRAMMED;
  const unbound = rules.flatMap(({ policy }, index) => (policy.affinity === undefined ? [] : [index]));
  return unbound.length === 0 ? PROGRAMMED : affinityWithoutKey(unbound);
}

function conditionsOf(faults: readonly RefFault[], served: Condition): readonly Condition[] {
  const [first, ...more] = faults;
  if (first === undefined && served === PROGRAMMED) return SERVED;
  return [ACCEPTED, first === undefined ? RESOLVED : refsUnresolved([first, ...more]), served];
}
