import type { CompiledEntry } from "../routing/index.ts";
import type { CompiledRoute } from "./compiled-route.ts";
import { type Conflict, findConflicts } from "./conflicts.ts";
import { comparePrecedence, type RankedEntry } from "./precedence.ts";
import type { NamespacedName, RouteGraph } from "./types.ts";

/** What is served on a host that some routes claim together. */
interface SettledHost {
  /** In order of precedence. */
  readonly ranked: readonly RankedEntry[];
  /** The same, as the table has them. */
  readonly entries: readonly CompiledEntry[];
  /** What each route lost; routes that lost nothing are not here. */
  readonly lost: ReadonlyMap<NamespacedName, readonly Conflict[]>;
}

/** A host, who claims it and what that means. */
export interface HostClaim extends SettledHost {
  readonly claimants: readonly CompiledRoute[];
}

/** A conflict on one host. */
export interface HostConflict extends Conflict {
  /** The host pattern; `*` = every host. */
  readonly host: string;
}

/** What a route claims. */
interface Claimant {
  readonly facts: { readonly hosts: readonly string[] };
  readonly compiled: CompiledRoute;
  /** A route that is refused claims nothing. */
  readonly refusal: unknown;
}

/** What a route claimed, and what it claims now. */
interface ClaimChange {
  readonly name: NamespacedName;
  readonly before: Claimant | undefined;
  readonly after: Claimant | undefined;
}

/** Of one host: routes that no longer claim it as they did, and what is claimed now. */
interface Move {
  readonly left: Set<NamespacedName>;
  readonly came: CompiledRoute[];
}

interface Settlement {
  /** The table: host pattern → entries in order of precedence. */
  readonly hosts: RouteGraph["hosts"];
  /** Routes that lost something else than before. */
  readonly losers: ReadonlySet<NamespacedName>;
}

const NOBODY: ReadonlySet<NamespacedName> = new Set();
const NOTHING_LOST: SettledHost["lost"] = new Map();
const NOBODYS: HostClaim = { claimants: [], ranked: [], entries: [], lost: NOTHING_LOST };

/**
 * Each host's entries in order of precedence, and who is never reached there. An entry that lost stays in the table:
 * no request comes to it, and the live tunnels of its rule go on following that rule. Only hosts that a change is about
 * are settled anew; `claims` is brought up to date, `before` is the table that it stood for.
 */
export function settleHosts(
  claims: Map<string, HostClaim>,
  changes: readonly ClaimChange[],
  before: RouteGraph["hosts"],
): Settlement {
  const moves = movesIn(changes);
  if (moves.size === 0) return { hosts: before, losers: NOBODY };
  const hosts = new Map(before);
  const losers = new Set<NamespacedName>();
  for (const [host, move] of moves) {
    const old = claims.get(host) ?? NOBODYS;
    const settled = settle(old, move);
    noteLosers(old.lost, settled.lost, losers);
    if (settled.claimants.length === 0) {
      claims.delete(host);
      hosts.delete(host);
    } else {
      claims.set(host, settled);
      hosts.set(host, settled.entries);
    }
  }
  return { hosts, losers };
}

/** What the route lost, over all hosts that it claims. */
export function lostBy(
  name: NamespacedName,
  { facts }: Claimant,
  claims: ReadonlyMap<string, HostClaim>,
): readonly HostConflict[] {
  return facts.hosts.flatMap((host) => {
    const lost = claims.get(host)?.lost ?? NOTHING_LOST;
    return lost.size === 0 ? [] : (lost.get(name) ?? []).map((conflict) => ({ ...conflict, host }));
  });
}

function movesIn(changes: readonly ClaimChange[]): ReadonlyMap<string, Move> {
  const moves = new Map<string, Move>();
  const moveOf = (host: string): Move => {
    const move = moves.get(host) ?? { left: new Set(), came: [] };
    moves.set(host, move);
    return move;
  };
  for (const { name, before, after } of changes) {
    if (before?.compiled === after?.compiled && before?.facts.hosts === after?.facts.hosts) continue;
    for (const host of hostsOf(before)) moveOf(host).left.add(name);
    if (after !== undefined) for (const host of hostsOf(after)) moveOf(host).came.push(after.compiled);
  }
  return moves;
}

function hostsOf(claimant: Claimant | undefined): readonly string[] {
  return claimant === undefined || claimant.refusal !== undefined ? [] : claimant.facts.hosts;
}

function settle(old: HostClaim, { left, came }: Move): HostClaim {
  const claimants = [...old.claimants.filter(({ route }) => !left.has(route)), ...came];
  const [only] = claimants;
  if (only !== undefined && claimants.length === 1) return ofOne(only, claimants);
  // Sorting costs little when all but a few are in order already.
  const stayed = old.ranked.filter(({ route }) => !left.has(route));
  const ranked = [...stayed, ...came.flatMap((claimant) => claimant.ranked)].sort(comparePrecedence);
  return { claimants, ranked, entries: ranked.map(({ entry }) => entry), lost: byLoser(findConflicts(ranked)) };
}

function ofOne(only: CompiledRoute, claimants: readonly CompiledRoute[]): HostClaim {
  const { route, ranked, entries, conflicts } = only;
  return { claimants, ranked, entries, lost: conflicts.length === 0 ? NOTHING_LOST : new Map([[route, conflicts]]) };
}

function byLoser(conflicts: readonly Conflict[]): SettledHost["lost"] {
  if (conflicts.length === 0) return NOTHING_LOST;
  return Map.groupBy(conflicts, ({ loser }) => loser.route);
}

function noteLosers(before: SettledHost["lost"], after: SettledHost["lost"], losers: Set<NamespacedName>): void {
  for (const [route, lost] of after) if (!isSameLoss(before.get(route), lost)) losers.add(route);
  for (const route of before.keys()) if (!after.has(route)) losers.add(route);
}

function isSameLoss(before: readonly Conflict[] | undefined, after: readonly Conflict[]): boolean {
  return (
    before?.length === after.length &&
    after.every(({ loser, winner }, index) => loser === before[index]?.loser && winner === before[index]?.winner)
  );
}
