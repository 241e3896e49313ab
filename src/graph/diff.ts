import type { CompiledEntry, TableDelta } from "../routing/index.ts";
import type { RouteGraph } from "./types.ts";

/**
 * The hosts whose lists of entries differ, with their new lists; null for those that are gone. Entries compare by
 * identity: the graph cache gives an unchanged route the same entries in every build.
 */
export function diffHosts(before: RouteGraph["hosts"], after: RouteGraph["hosts"]): TableDelta["hosts"] {
  const changes = new Map<string, readonly CompiledEntry[] | null>();
  for (const [host, entries] of after) {
    const old = before.get(host);
    if (old === undefined || !isSameList(old, entries)) changes.set(host, entries);
  }
  for (const host of before.keys()) if (!after.has(host)) changes.set(host, null);
  return changes;
}

function isSameList(a: readonly CompiledEntry[], b: readonly CompiledEntry[]): boolean {
  return a === b || (a.length === b.length && a.every((entry, i) => entry === b[i]));
}
