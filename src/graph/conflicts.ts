import type { CompiledMatch, NameValue } from "../routing/index.ts";
import { compareText, type RankedEntry } from "./precedence.ts";

/** An entry that no request reaches, and the one that takes its requests. */
export interface Conflict {
  readonly loser: RankedEntry;
  readonly winner: RankedEntry;
}

/**
 * What a match takes for itself, as text: its path, headers and query parameters, in any order; once for each
 * subprotocol that it names, since a request needs to offer only one of them.
 */
export function claimsOf({ path, headers, queryParams, subprotocols }: CompiledMatch): readonly string[] {
  const base = JSON.stringify([path.type, path.value, sorted(headers), sorted(queryParams)]);
  return subprotocols.length === 0 ? [base] : subprotocols.map((subprotocol) => `${base} ${subprotocol}`);
}

/**
 * The entries of one host that are never reached: all they take was taken by entries before them. In order of
 * precedence an entry that names subprotocols comes before its like that names none, so the two never meet. Costs one
 * look-up a claim, however many entries the host has.
 */
export function findConflicts(inOrder: readonly RankedEntry[]): readonly Conflict[] {
  const owners = new Map<string, RankedEntry>();
  const conflicts: Conflict[] = [];
  for (const entry of inOrder) {
    const winner = takeClaims(entry, owners);
    if (winner !== undefined) conflicts.push({ loser: entry, winner });
  }
  return conflicts;
}

/** Takes those of the entry's claims that are free. When none is: the entry that has the first of them. */
function takeClaims(entry: RankedEntry, owners: Map<string, RankedEntry>): RankedEntry | undefined {
  let owner: RankedEntry | undefined;
  let isReached = false;
  for (const claim of entry.claims) {
    const known = owners.get(claim);
    owner ??= known;
    if (known !== undefined) continue;
    owners.set(claim, entry);
    isReached = true;
  }
  return isReached ? undefined : owner;
}

function sorted(pairs: readonly NameValue[]): readonly string[] {
  return pairs.map(({ name, value }) => JSON.stringify([name, value])).toSorted(compareText);
}
