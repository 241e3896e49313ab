import type { Endpoint } from "../routing/index.ts";

/**
 * How the source sees a backend.
 * serving: listed, ready, not terminating. unready: listed, neither ready nor terminating. terminating: said so by the
 * source, and still so when it is gone from the list. vanished: no longer in a list that has others. unlisted: in no
 * list, and nothing follows from it, since the list is empty or no rule names the upstream any more.
 */
export type Standing = "serving" | "unready" | "terminating" | "vanished" | "unlisted";

/** Why a backend's tunnels should leave it; undefined = they need not. */
export type Departure = Extract<Standing, "unready" | "terminating" | "vanished">;

/** What a backend's own place in a list depends on. */
export interface ListFacts {
  /** Endpoints in it. */
  readonly listed: number;
  /** Those of them that are not terminating. */
  readonly staying: number;
  /** Those of the staying that are not ready. */
  readonly unready: number;
}

export function listFacts(endpoints: readonly Endpoint[]): ListFacts {
  const staying = endpoints.filter(({ terminating }) => !terminating);
  return { listed: endpoints.length, staying: staying.length, unready: staying.filter(({ ready }) => !ready).length };
}

/** @param endpoint the backend as the list has it; undefined = the list has it not. */
export function standingOf(endpoint: Endpoint | undefined, before: Standing, { listed }: ListFacts): Standing {
  if (endpoint !== undefined) return endpoint.terminating ? "terminating" : endpoint.ready ? "serving" : "unready";
  if (before === "terminating") return before;
  return listed === 0 ? "unlisted" : "vanished";
}

/**
 * A list in which most are not ready says more about what looks at them (a probe, a database behind all) than about each
 * of them: nobody leaves for that.
 */
export function departureOf(standing: Standing, { staying, unready }: ListFacts): Departure | undefined {
  switch (standing) {
    case "terminating":
    case "vanished":
      return standing;
    case "unready":
      return unready * 2 > staying ? undefined : standing;
    case "serving":
    case "unlisted":
      return undefined;
  }
}
