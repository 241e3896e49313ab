import { entriesOf, GrowingHostIndex, type HostIndex, matchInHost } from "./host-index.ts";
import { isAbsolutePath } from "./path.ts";
import { RequestView } from "./request-view.ts";
import type { CompiledEntry, HostEntry, MatchFacts, RoutingTable } from "./types.ts";

/**
 * The table of one generation. Host patterns are tried from the narrowest to the widest: the exact host, then the
 * longest wildcard, shorter wildcards, `*`. A host whose entries all fail hands the request on to the next wider one,
 * as Gateway API says of precedence: it is settled among the rules that match.
 */
export class Table implements RoutingTable {
  readonly generation: number;
  readonly #exact: Map<string, HostIndex>;
  /** By the part behind the star: `.example.com`. */
  readonly #wildcards: Map<string, HostIndex>;
  readonly #any: HostIndex | undefined;
  readonly #longestWildcard: number;

  constructor(generation: number, hosts: HostIndexes) {
    this.generation = generation;
    this.#exact = hosts.exact;
    this.#wildcards = hosts.wildcards;
    this.#any = hosts.any;
    let longest = 0;
    for (const suffix of hosts.wildcards.keys()) longest = Math.max(longest, suffix.length);
    this.#longestWildcard = longest;
    Object.freeze(this);
  }

  match(facts: MatchFacts): CompiledEntry | undefined {
    if (!isAbsolutePath(facts.path)) return undefined;
    const request = new RequestView(facts);
    const exact = this.#exact.get(facts.host);
    const entry = exact === undefined ? undefined : matchInHost(exact, request);
    return entry ?? this.#matchWider(facts.host, request);
  }

  *entries(): Iterable<HostEntry> {
    for (const [host, index] of this.#exact) for (const entry of entriesOf(index)) yield { host, entry };
    for (const [suffix, index] of this.#wildcards) {
      for (const entry of entriesOf(index)) yield { host: `*${suffix}`, entry };
    }
    if (this.#any !== undefined) for (const entry of entriesOf(this.#any)) yield { host: "*", entry };
  }

  /** A copy to change, which becomes a table of its own; this one stays as it is. */
  draft(): TableDraft {
    return new TableDraft({ exact: new Map(this.#exact), wildcards: new Map(this.#wildcards), any: this.#any });
  }

  #matchWider(host: string, request: RequestView): CompiledEntry | undefined {
    if (this.#wildcards.size > 0) {
      // From the first dot that can begin a known suffix; at least one character stands before it.
      let dot = host.indexOf(".", Math.max(1, host.length - this.#longestWildcard));
      while (dot !== -1) {
        const index = this.#wildcards.get(host.slice(dot));
        const entry = index === undefined ? undefined : matchInHost(index, request);
        if (entry !== undefined) return entry;
        dot = host.indexOf(".", dot + 1);
      }
    }
    return this.#any === undefined ? undefined : matchInHost(this.#any, request);
  }
}

interface HostIndexes {
  readonly exact: Map<string, HostIndex>;
  readonly wildcards: Map<string, HostIndex>;
  any: HostIndex | undefined;
}

/** A table in the making. Costs one copy of the host map, however many hosts are put in. */
export class TableDraft {
  readonly #hosts: HostIndexes;
  /** Of the pattern that was put last; no table has it yet. */
  #last: GrowingHostIndex | undefined;

  constructor(hosts: HostIndexes) {
    this.#hosts = hosts;
  }

  /** Replaces the entries of a pattern, or removes the pattern. */
  put(pattern: string, entries: readonly CompiledEntry[] | null): void {
    const index = entries === null ? undefined : new GrowingHostIndex();
    index?.add(entries ?? []);
    this.#last = index;
    if (pattern === "*") this.#hosts.any = index;
    else if (pattern.startsWith("*.")) set(this.#hosts.wildcards, pattern.slice(1), index);
    else set(this.#hosts.exact, pattern, index);
  }

  /** More entries of the pattern that was put last, which come behind those. */
  extend(entries: readonly CompiledEntry[]): void {
    this.#last?.add(entries);
  }

  /** The finished table; the draft is used up by it. */
  finish(generation: number): Table {
    return new Table(generation, this.#hosts);
  }
}

/** Matches nothing: what a proxy serves before it was told anything. */
export function emptyTable(): Table {
  return new Table(0, { exact: new Map(), wildcards: new Map(), any: undefined });
}

/** A whole table at once: host pattern → entries in order of precedence. */
export function buildTable(generation: number, hosts: ReadonlyMap<string, readonly CompiledEntry[]>): RoutingTable {
  const draft = emptyTable().draft();
  for (const [pattern, entries] of hosts) draft.put(pattern, entries);
  return draft.finish(generation);
}

function set(map: Map<string, HostIndex>, key: string, index: HostIndex | undefined): void {
  if (index === undefined) map.delete(key);
  else map.set(key, index);
}
