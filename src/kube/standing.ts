import type { RouteStatus } from "../status/index.ts";
import { isRecord } from "./answers.ts";

type Condition = RouteStatus["conditions"][number];

/** A condition as it stands on the server. */
interface StandingCondition extends Condition {
  /** RFC 3339, in seconds. */
  readonly lastTransitionTime: string;
}

/** A status as it stands on the server. */
interface StandingStatus extends RouteStatus {
  readonly conditions: readonly StandingCondition[];
}

/** What is kept of a route on the server for the sake of its status. */
export interface StandingRoute {
  readonly uid: string;
  readonly resourceVersion: string;
  /** undefined = nothing of ours stands there. */
  readonly status: StandingStatus | undefined;
}

/** Lower than any: whatever a build says goes before it. */
const NO_GENERATION = -1;
const OUR_TYPES: ReadonlySet<unknown> = new Set<Condition["type"]>(["Accepted", "ResolvedRefs", "Programmed"]);

/**
 * What stands on a route as the API server gave it; undefined = this is no object. Conditions of others are not ours to
 * compare. A status that does not clearly speak of one generation of the route, and of none to come, counts as about
 * none, so that it is written anew: only others' hands can have made it so.
 */
export function readStanding(object: unknown): StandingRoute | undefined {
  if (!isRecord(object) || !isRecord(object["metadata"])) return undefined;
  const { uid, resourceVersion, generation } = object["metadata"];
  if (typeof uid !== "string" || typeof resourceVersion !== "string") return undefined;
  return { uid, resourceVersion, status: readStatus(object["status"], Number(generation)) };
}

function readStatus(status: unknown, newest: number): StandingStatus | undefined {
  if (!isRecord(status)) return undefined;
  const listed = Array.isArray(status["conditions"]) ? status["conditions"].filter(isRecord) : [];
  const ours = listed.filter(({ type }) => OUR_TYPES.has(type));
  const backends = readCounts(status["backends"]);
  if (ours.length === 0 && backends === undefined) return undefined;
  const observed = status["observedGeneration"];
  const isClear =
    typeof observed === "number" &&
    observed <= newest &&
    ours.every(({ observedGeneration }) => observedGeneration === observed);
  return { generation: isClear ? observed : NO_GENERATION, conditions: ours.map(readCondition), backends };
}

function readCondition(condition: Readonly<Record<string, unknown>>): StandingCondition {
  const text = (name: string): string => {
    const value = condition[name];
    return typeof value === "string" ? value : "";
  };
  return {
    type: text("type") as Condition["type"],
    status: text("status") as Condition["status"],
    reason: text("reason"),
    message: text("message"),
    lastTransitionTime: text("lastTransitionTime"),
  };
}

function readCounts(value: unknown): RouteStatus["backends"] {
  if (!isRecord(value)) return undefined;
  const { ready, draining } = value;
  return typeof ready === "number" && typeof draining === "number" ? { ready, draining } : undefined;
}
