import type { CompiledEntry, TableDelta } from "../routing/index.ts";
import { InStep } from "./in-step.ts";
import type { NamespacedName, RouteGraph } from "./types.ts";

/**
 * The hosts whose lists of entries differ, with their new lists; null for those that are gone. Entries compare by
 * identity: the graph cache gives an unchanged route the same entries in every build.
 */
export function diffHosts(before: RouteGraph["hosts"], after: RouteGraph["hosts"]): TableDelta["hosts"] {
  const changes = new Map<string, readonly CompiledEntry[] | null>();
  if (before === after) return changes;
  const olds = new InStep(before);
  let known = 0;
  for (const [host, entries] of after) {
    const old = olds.get(host);
    if (old !== undefined) known += 1;
    if (old === undefined || !isSameList(old, entries)) changes.set(host, entries);
  }
  if (known < before.size) for (const host of before.keys()) if (!after.has(host)) changes.set(host, null);
  return changes;
}

/** The routes that the later graph says something else of, or that are only there. */
export function changedRoutes(before: RouteGraph["routes"], after: RouteGraph["routes"]): readonly NamespacedName[] {
  if (before === after) return [];
  const olds = new InStep(before);
  const changed: NamespacedName[] = [];
  for (const [name, node] of after) if (olds.get(name) !== node) changed.push(name);
  return changed;
}

function isSameList(a: readonly CompiledEntry[], b: readonly CompiledEntry[]): boolean {
  return a === b || (a.length === b.length && a.every((entry, i) => entry === b[i]));
}
