import { buildTable, type CompiledEntry, type MatchFacts, type RoutingTable } from "../../src/routing/index.ts";
import { entryOf } from "./entries.ts";
import { freshText, type Scenario, type Work } from "./scenario.ts";

/** The same for every size of table, so that only the table differs. */
const REQUESTS = 5_000;
const LARGEST = 5_000;
const SIZES = [1, 100, LARGEST] as const;
/**
 * Hosts that are asked for, spread over the table: as many in the largest as in the middle one, so that what differs is
 * the search and not how much of the table the processor's caches hold.
 */
const BUSY = 100;
/** Spreads consecutive requests over the hosts. */
const STRIDE = 1_103;

const HEADERS: MatchFacts["headers"] = Array.from({ length: 15 }, (_, i) => [`X-Header-${i}`, `value ${i}`]);

/** By application: its host with a prefix, an exact path and a rule for a header, and a wildcard beside it. */
function tableOf(applications: number): RoutingTable {
  const hosts = new Map<string, readonly CompiledEntry[]>();
  for (let i = 0; i < applications; i++) {
    const name = `app-${i}`;
    const headers = [{ name: "x-header-14", value: "value 14" }];
    hosts.set(`${name}.example.com`, [
      entryOf({ name: `${name}-exact`, match: { path: { type: "Exact", value: "/ws" } } }),
      entryOf({ name: `${name}-header`, match: { path: { type: "PathPrefix", value: "/canary" }, headers } }),
      entryOf({ name: `${name}-canary`, match: { path: { type: "PathPrefix", value: "/canary" } } }),
      entryOf({ name: `${name}-prefix`, match: { path: { type: "PathPrefix", value: "/chat" } } }),
    ]);
    hosts.set(`*.${name}.example.com`, [entryOf({ name: `${name}-wildcard` })]);
  }
  // As it comes over the thread port.
  return buildTable(1, structuredClone(hosts));
}

interface Kind {
  readonly name: string;
  readonly host: (application: number) => string;
  readonly path: string;
  /** What the name of the rule's route ends with; undefined = nothing matches. */
  readonly route: string | undefined;
}

interface Load {
  readonly hosts: number;
  readonly busy: number;
}

const KINDS: readonly Kind[] = [
  { name: "prefix", host: (i) => `app-${i}.example.com`, path: "/chat/rooms/1", route: "prefix" },
  { name: "exact path", host: (i) => `app-${i}.example.com`, path: "/ws", route: "exact" },
  { name: "wildcard host", host: (i) => `a.app-${i}.example.com`, path: "/chat/rooms/1", route: "wildcard" },
  { name: "header, 15 in request", host: (i) => `app-${i}.example.com`, path: "/canary/1", route: "header" },
  { name: "no such host", host: (i) => `app-${i}.b.nowhere.test`, path: "/chat/rooms/1", route: undefined },
];

function matching(kind: Kind, table: RoutingTable, { hosts, busy }: Load): Work {
  const facts: MatchFacts[] = [];
  const names = Array.from({ length: busy }, (_, i) => freshText(kind.host((i * hosts) / busy)));
  const path = freshText(kind.path);
  const requestOf = (i: number): MatchFacts => ({
    host: names[(i * STRIDE) % busy]?.() ?? "",
    path: path(),
    query: "token=abc&v=1",
    headers: HEADERS,
    subprotocols: [],
  });
  const found = table.match(requestOf(0))?.rule.route;
  if (found !== (kind.route && `apps/app-0-${kind.route}`)) throw new Error(`${kind.name}: matched ${found}`);
  return {
    prepare: () => {
      for (let i = 0; i < REQUESTS; i++) facts[i] = requestOf(i);
    },
    run: () => {
      let matched = 0;
      for (const request of facts) if (table.match(request)?.rule.rule === "main") matched += 1;
      return matched;
    },
    expected: kind.route === undefined ? 0 : REQUESTS,
  };
}

function nameOf(kind: Kind, { hosts, busy }: Load): string {
  const isAll = busy === hosts && hosts > BUSY;
  return `match, ${kind.name}, ${hosts.toLocaleString("en")} ${hosts === 1 ? "host" : "hosts"}${isAll ? ", all busy" : ""}`;
}

function loadOf(hosts: number): Load {
  return { hosts, busy: Math.min(hosts, BUSY) };
}

/** What finding the rule costs, by the kind of match and the size of the table. */
export function scenarios(): readonly Scenario[] {
  const tables = new Map<number, RoutingTable>();
  const setup = (kind: Kind, load: Load): Work => {
    const table = tables.get(load.hosts) ?? tableOf(load.hosts);
    tables.set(load.hosts, table);
    return matching(kind, table, load);
  };
  const scenario = (kind: Kind, load: Load): Scenario => {
    return { name: nameOf(kind, load), unit: "ns", units: REQUESTS, setup: () => setup(kind, load) };
  };
  const all = KINDS.slice(0, 1).map((kind) => scenario(kind, { hosts: LARGEST, busy: LARGEST }));
  return [...KINDS.flatMap((kind) => SIZES.map((hosts) => scenario(kind, loadOf(hosts)))), ...all];
}

/** Costs that must not grow with the table, for as many hosts asked for: in the largest and in the middle one. */
export function growths(): readonly { readonly name: string; readonly from: string; readonly to: string }[] {
  return KINDS.map((kind) => ({
    name: `match, ${kind.name}: 5,000 hosts to 100`,
    from: nameOf(kind, loadOf(SIZES[1])),
    to: nameOf(kind, loadOf(LARGEST)),
  }));
}
