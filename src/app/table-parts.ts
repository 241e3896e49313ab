import type { CompiledEntry, TableDelta } from "../routing/index.ts";
import type { HostPart } from "./thread-messages.ts";

export interface PartLimits {
  readonly maxHosts: number;
  readonly maxEntries: number;
}

/**
 * Cuts a delta into parts that one turn of the data thread can take: at most so many hosts and entries each. A host
 * with a longer list is spread over several parts.
 */
export function* tableParts(hosts: TableDelta["hosts"], limits: PartLimits): Generator<readonly HostPart[]> {
  let part: HostPart[] = [];
  let room = limits.maxEntries;
  for (const [pattern, entries] of hosts) {
    for (const slice of slices(entries, () => room, limits.maxEntries)) {
      part.push({ pattern, ...slice });
      room -= slice.entries?.length ?? 0;
      if (room > 0 && part.length < limits.maxHosts) continue;
      yield part;
      part = [];
      room = limits.maxEntries;
    }
  }
  if (part.length > 0) yield part;
}

/** A list in pieces: the first as long as there is room, the others as long as a part. */
function* slices(
  entries: readonly CompiledEntry[] | null,
  room: () => number,
  maxEntries: number,
): Generator<Omit<HostPart, "pattern">> {
  if (entries === null || entries.length === 0) {
    yield { entries, hasMore: false };
    return;
  }
  for (let start = 0; start < entries.length; ) {
    const end = Math.min(entries.length, start + Math.max(1, Math.min(room(), maxEntries)));
    yield { entries: entries.slice(start, end), hasMore: end < entries.length };
    start = end;
  }
}
