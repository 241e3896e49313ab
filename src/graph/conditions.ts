import { CONDITION_REASONS, type Issue } from "../api/index.ts";
import type { HostConflict } from "./hosts.ts";
import { listFaults } from "./list-faults.ts";
import { compareText, type RankedEntry } from "./precedence.ts";
import type { RefFault } from "./ref-faults.ts";
import type { Condition } from "./types.ts";

/** Each takes many words, and whoever puts one right is told of the next. */
const MOST_CONFLICTS = 4;

/** Why a route is not accepted. */
export type NotAccepted = "Invalid" | "HostnamesRequired";

/** The route is well-formed and ours. */
export function accepted(): Condition {
  return { type: "Accepted", status: "True", reason: CONDITION_REASONS.Accepted, message: "" };
}

/** The route breaks a rule of the schema; nothing of it is served. */
export function invalid(faults: readonly Issue[]): Condition {
  return { type: "Accepted", status: "False", reason: CONDITION_REASONS.Invalid, message: listFaults(faults) };
}

/** The route names no host, and its namespace may not claim every host. */
export function hostnamesRequired(namespace: string): Condition {
  const message =
    "list the hosts that the route serves; without them it would claim every host, which needs " +
    `namespace ${namespace} to be named by --any-host-namespaces`;
  return {
    type: "Accepted",
    status: "False",
    reason: CONDITION_REASONS.HostnamesRequired,
    message: listFaults([{ field: "spec.hostnames", message }]),
  };
}

/** Every backendRef leads to a port of a Service. */
export function refsResolved(): Condition {
  return { type: "ResolvedRefs", status: "True", reason: CONDITION_REASONS.ResolvedRefs, message: "" };
}

/** At least one backendRef leads nowhere; the reason is that of the first, the message tells of all. */
export function refsUnresolved(faults: readonly [RefFault, ...RefFault[]]): Condition {
  return { type: "ResolvedRefs", status: "False", reason: faults[0].reason, message: listFaults(faults) };
}

/** A route that is not accepted has no references that could be looked at. */
export function refsNotLookedAt(because: NotAccepted): Condition {
  return { type: "ResolvedRefs", status: "Unknown", reason: because, message: "the route is not accepted" };
}

/**
 * The route's rules are in the table. Programmed says whether requests are served as the route says; what its backends
 * do is no part of it, nor is a reference that leads nowhere: the rule answers for it with 503.
 */
export function programmed(): Condition {
  return { type: "Programmed", status: "True", reason: CONDITION_REASONS.Programmed, message: "" };
}

/** These rules, by their index, bind clients to backends, and there is no key to make cookies with: nobody is bound. */
export function affinityWithoutKey(rules: readonly number[]): Condition {
  const message =
    "clients are not bound, since this Holdfast has no key for their cookies: give it one by --affinity-key (the chart's " +
    "affinityKey.existingSecret), or take the field away";
  return {
    type: "Programmed",
    status: "True",
    reason: CONDITION_REASONS.AffinityWithoutKey,
    message: `${rules.map((index) => `spec.rules[${index}].affinity`).join(", ")}: ${message}`,
  };
}

/** Nothing of the route is in the table. */
export function notProgrammed(because: NotAccepted): Condition {
  return { type: "Programmed", status: "False", reason: because, message: "the route is not accepted" };
}

/**
 * Matches of the route are never reached: others have the same and go first. All of them: the route serves nothing, and
 * so is not programmed. Some: the rest is served, so it is, and the reason tells. `total` counts the route's matches,
 * once for each host.
 */
export function conflicting(lost: readonly HostConflict[], total: number): Condition {
  const isAll = lost.length >= total;
  const first = lost.toSorted(compareConflicts).slice(0, MOST_CONFLICTS);
  return {
    type: "Programmed",
    status: isAll ? "False" : "True",
    reason: isAll ? CONDITION_REASONS.Conflict : CONDITION_REASONS.PartlyConflicting,
    message: listFaults(first.map(conflictIssue), lost.length),
  };
}

function conflictIssue({ loser, winner, host }: HostConflict): Issue {
  const where = host === "*" ? "on every host" : `on host ${host}`;
  return {
    field: placeOf(loser),
    message: `never reached ${where}: ${winnerText(loser, winner)} has the same match and goes first; change one of them`,
  };
}

function winnerText(loser: RankedEntry, winner: RankedEntry): string {
  if (winner.route !== loser.route) return `rule ${winner.entry.rule.rule} of route ${winner.route}`;
  const kind = winner.ruleIndex === loser.ruleIndex ? "an earlier match of this rule" : "an earlier rule of this route";
  return `${kind} (${placeOf(winner)})`;
}

function placeOf({ ruleIndex, matchIndex }: RankedEntry): string {
  return `spec.rules[${ruleIndex}].matches[${matchIndex}]`;
}

function compareConflicts(a: HostConflict, b: HostConflict): number {
  return (
    a.loser.ruleIndex - b.loser.ruleIndex || a.loser.matchIndex - b.loser.matchIndex || compareText(a.host, b.host)
  );
}
