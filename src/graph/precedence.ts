import type { CompiledEntry, CompiledMatch } from "../routing/index.ts";

/** An entry with all that its place among the entries of a host depends on; made once per route object. */
export interface RankedEntry {
  readonly entry: CompiledEntry;
  /** `namespace/name`. */
  readonly route: string;
  /** When the route was created, in milliseconds since 1970; infinity where it does not say. */
  readonly createdMs: number;
  readonly ruleIndex: number;
  readonly matchIndex: number;
  /** What its match takes on a host, for those that come later; see `claimsOf`. */
  readonly claims: readonly string[];
}

/**
 * Orders the entries of one host, the first to be tried first: exact path, longest prefix; more headers; more query
 * parameters; a subprotocol named; older route; namespace/name; order of rules, then of matches. A total order: the
 * outcome never depends on how the source listed the routes. For that, a route without a creation time counts as newer
 * than every route that has one (and as old as its likes: in a folder no manifest has one).
 */
export function comparePrecedence(a: RankedEntry, b: RankedEntry): number {
  return (
    compareMatches(a.entry.match, b.entry.match) ||
    compareAges(a.createdMs, b.createdMs) ||
    compareText(a.route, b.route) ||
    a.ruleIndex - b.ruleIndex ||
    a.matchIndex - b.matchIndex
  );
}

function compareMatches(a: CompiledMatch, b: CompiledMatch): number {
  return (
    Number(b.path.type === "Exact") - Number(a.path.type === "Exact") ||
    b.path.value.length - a.path.value.length ||
    b.headers.length - a.headers.length ||
    b.queryParams.length - a.queryParams.length ||
    Number(b.subprotocols.length > 0) - Number(a.subprotocols.length > 0)
  );
}

/** Two infinities are equal; their difference would not be a number. */
function compareAges(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** By code units, the same on every machine whatever its locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
