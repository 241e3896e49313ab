import type { GraphCache } from "./cache.ts";
import { readClasses } from "./classes.ts";
import { InStep } from "./in-step.ts";
import { remembered } from "./remembered.ts";
import { classOf, readRoute } from "./route-facts.ts";
import { readService } from "./service-facts.ts";
import type { ClusterSnapshot, GraphOptions, NamespacedName } from "./types.ts";

/**
 * Reads, one route a step, what the next build would have to read: parsing is most of what a build costs. What an object
 * says depends on nothing else, so the snapshot may change between steps, and whoever steps may stop at any time: the
 * build sees one snapshot all the same, and reads what is left.
 */
export function* readAhead(
  snapshot: ClusterSnapshot,
  options: GraphOptions,
  cache: GraphCache,
): Generator<undefined, undefined> {
  const classes = readClasses(snapshot, options, cache.classes);
  const services = snapshot.list("Service");
  const known = new InStep(cache.last?.routes ?? new Map<NamespacedName, never>());
  const listed = snapshot.list("WebSocketRoute");
  // What comes meanwhile is left to the build: a list that always grows must not keep it waiting.
  let left = listed.size;
  for (const [name, object] of listed) {
    if (left === 0) return;
    left -= 1;
    if (known.get(name)?.object === object) continue;
    if (!classes.serves(classOf(object))) continue;
    const facts = readRoute(name, object);
    cache.ahead.set(name, { object, facts });
    for (const { service } of facts.backendRefs) {
      const found = services.get(service);
      if (found !== undefined) remembered(cache.services, found, () => readService(found));
    }
    yield;
  }
}
