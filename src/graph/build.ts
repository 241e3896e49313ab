import type { UpstreamKey } from "../routing/index.ts";
import { type BuildState, isSameOptions, newBuildState, type RouteChange } from "./build-state.ts";
import type { GraphCache } from "./cache.ts";
import { lostBy, settleHosts } from "./hosts.ts";
import { nodeOf } from "./nodes.ts";
import { readChanges } from "./route-changes.ts";
import type { ClusterSnapshot, GraphOptions, NamespacedName, RouteGraph } from "./types.ts";

/**
 * What the snapshot means: every route of our class with its conditions, and the table of all of them. Pure, and never
 * throws on what a user wrote. With the cache of the build before, only what changed since is read and put together
 * anew; the result is that of a build without it. What is unchanged is the same object as before: maps, lists, entries.
 */
export function buildRouteGraph(snapshot: ClusterSnapshot, options: GraphOptions, cache: GraphCache): RouteGraph {
  const state = takeState(options, cache);
  const changes = readChanges(snapshot, cache, state);
  state.named.follow(changes);
  const { hosts, losers } = settleHosts(state.claims, changes, state.hosts);
  state.hosts = hosts;
  followNodes(state, changes, losers);
  cache.last = state;
  cache.ahead.clear();
  return { routes: state.nodes, hosts, ...state.named.named };
}

/** The upstreams of a Service that rules name; empty when no rule names the Service. */
export function upstreamsOfService(
  graph: Pick<RouteGraph, "upstreamsOf">,
  service: NamespacedName,
): readonly UpstreamKey[] {
  return graph.upstreamsOf.get(service) ?? [];
}

/** It is put back when the build is complete, so that a build which fails leaves nothing half done to the next. */
function takeState(options: GraphOptions, cache: GraphCache): BuildState {
  const { last } = cache;
  cache.last = undefined;
  return last !== undefined && isSameOptions(last.options, options) ? last : newBuildState(options);
}

function followNodes(state: BuildState, changes: readonly RouteChange[], losers: ReadonlySet<NamespacedName>): void {
  if (changes.length === 0 && losers.size === 0) return;
  const nodes = new Map(state.nodes);
  for (const name of new Set([...changes.map((change) => change.name), ...losers])) {
    const read = state.routes.get(name)?.read;
    if (read === undefined) nodes.delete(name);
    else nodes.set(name, nodeOf(read, lostBy(name, read, state.claims), state.options));
  }
  state.nodes = nodes;
}
