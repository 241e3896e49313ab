import type { CompiledEntry } from "../routing/index.ts";
import type { CompiledRoute } from "./compiled-route.ts";
import { type Conflict, findConflicts } from "./conflicts.ts";
import { comparePrecedence } from "./precedence.ts";
import type { NamespacedName } from "./types.ts";

/** A host that several routes claim: who they are, and what that means. */
export interface SettledHost {
  readonly claimants: readonly CompiledRoute[];
  readonly entries: readonly CompiledEntry[];
  readonly conflicts: readonly Conflict[];
}

/** A conflict on one host. */
export interface HostConflict extends Conflict {
  /** The host pattern; `*` = every host. */
  readonly host: string;
}

export interface Settlement {
  /** The table: host pattern → entries in order of precedence. */
  readonly hosts: ReadonlyMap<string, readonly CompiledEntry[]>;
  /** What each route lost; routes that lost nothing are not here. */
  readonly lost: ReadonlyMap<NamespacedName, readonly HostConflict[]>;
}

/**
 * Each host's entries in order of precedence, and who is never reached there. An entry that lost stays in the table:
 * no request comes to it, and the live tunnels of its rule go on following that rule. A host of one claimant costs
 * nothing; one of several is settled anew only when one of them changed.
 */
export function settleHosts(
  claims: ReadonlyMap<string, readonly CompiledRoute[]>,
  known: Map<string, SettledHost>,
): Settlement {
  const hosts = new Map<string, readonly CompiledEntry[]>();
  const lost = new Map<NamespacedName, HostConflict[]>();
  for (const [host, claimants] of claims) {
    const { entries, conflicts } = settle(host, claimants, known);
    hosts.set(host, entries);
    for (const conflict of conflicts) {
      const { route } = conflict.loser;
      const ofRoute = lost.get(route);
      if (ofRoute === undefined) lost.set(route, [{ ...conflict, host }]);
      else ofRoute.push({ ...conflict, host });
    }
  }
  for (const host of known.keys()) if ((claims.get(host)?.length ?? 0) < 2) known.delete(host);
  return { hosts, lost };
}

function settle(
  host: string,
  claimants: readonly CompiledRoute[],
  known: Map<string, SettledHost>,
): Pick<SettledHost, "entries" | "conflicts"> {
  const [only] = claimants;
  if (only !== undefined && claimants.length === 1) return only;
  const before = known.get(host);
  if (before !== undefined && isSameList(before.claimants, claimants)) return before;
  const ranked = claimants.flatMap((claimant) => claimant.ranked).sort(comparePrecedence);
  const settled = { claimants, entries: ranked.map(({ entry }) => entry), conflicts: findConflicts(ranked) };
  known.set(host, settled);
  return settled;
}

function isSameList(a: readonly CompiledRoute[], b: readonly CompiledRoute[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
