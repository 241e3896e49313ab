import { type AddressTest, clientRange } from "./client-range.ts";
import type { TunnelFilter } from "./operations.ts";

/** What a filter looks at of a tunnel. */
export interface TunnelFacts {
  readonly id: string;
  readonly route: string;
  readonly rule: string;
  readonly upstream: string;
  readonly backend: string;
  readonly clientAddress: string;
}

/** How old it is and how long nothing came, in milliseconds. */
export interface TunnelTimes {
  readonly ageMs: number;
  readonly idleMs: number;
}

/** Whether a filter picks a tunnel. */
export type TunnelTest = (facts: TunnelFacts, times: TunnelTimes) => boolean;

/** The filter as a test for thousands of tunnels. A client that is no address or range picks none. */
export function tunnelTest(filter: TunnelFilter): TunnelTest {
  const { route, rule, upstream, backend, id, minAgeMs = 0, minIdleMs = 0 } = filter;
  const isClient: AddressTest | undefined =
    filter.client === undefined ? undefined : (clientRange(filter.client) ?? (() => false));
  const isNamed = (facts: TunnelFacts): boolean =>
    (id === undefined || facts.id === id) &&
    (route === undefined || facts.route === route) &&
    (rule === undefined || facts.rule === rule) &&
    (upstream === undefined || facts.upstream === upstream) &&
    (backend === undefined || facts.backend === backend);
  // What costs most comes last.
  return (facts, { ageMs, idleMs }) =>
    ageMs >= minAgeMs &&
    idleMs >= minIdleMs &&
    isNamed(facts) &&
    (isClient === undefined || isClient(facts.clientAddress));
}

const WORDS: readonly (readonly [keyof TunnelFilter, string])[] = [
  ["route", "route"],
  ["rule", "rule"],
  ["upstream", "upstream"],
  ["backend", "backend"],
  ["client", "client"],
  ["id", "id"],
  ["minAgeMs", "older than (ms)"],
  ["minIdleMs", "idle for (ms)"],
];

/** The filter in words, for lists and logs: `route apps/chat, client 10.0.0.0/8`. */
export function filterInWords(filter: TunnelFilter): string {
  const given = WORDS.flatMap(([field, word]) => (filter[field] === undefined ? [] : [`${word} ${filter[field]}`]));
  return given.length === 0 ? "all tunnels" : given.join(", ");
}
