import {
  byName,
  compareNames,
  mapPage,
  type Page,
  pageOf,
  type Part,
  type RuleFilter,
  type RuleView,
} from "../admin/index.ts";
import type { CompiledMatch, CompiledRule, HostEntry, RoutingTable } from "../routing/index.ts";

export interface RuleListOptions {
  /** Never changes: however many turns it takes, the list is that of one moment. */
  readonly table: RoutingTable;
  readonly filter: RuleFilter;
  readonly part: Part<string>;
  /** How many tunnels those rules have; asked once, for the rules of the part only. */
  readonly tunnelsOf: (rules: ReadonlySet<string>) => ReadonlyMap<string, number>;
  readonly turns: Turns;
}

interface Turns {
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Resolves when the event loop has served what waited. */
  readonly nextTurn: () => Promise<unknown>;
}

/** What is gathered of one rule over its entries. */
interface Gathered {
  readonly hosts: Set<string>;
  readonly matches: Set<string>;
}

/** A table may have tens of thousands of entries, and whoever walks it carries tunnels besides. */
const TURN_MS = 2;
/** Reading the clock for each entry would cost as much as the entry. */
const ENTRIES_BETWEEN_LOOKS = 64;

const RULE_ORDER = byName<CompiledRule>(({ id }) => id);

/** A part of the rules of a table, by name. */
export async function listRules(options: RuleListOptions): Promise<Page<RuleView, string>> {
  const { table, filter, part, tunnelsOf, turns } = options;
  const rules = new Map<string, CompiledRule>();
  await walk(table.entries(), turns, ({ entry: { rule } }) => {
    if (filter.route === undefined || rule.route === filter.route) rules.set(rule.id, rule);
  });
  const page = pageOf(rules.values(), RULE_ORDER, part);
  await turns.nextTurn();
  const gathered = await gather(table, page.items, turns);
  const tunnels = tunnelsOf(new Set(gathered.keys()));
  return mapPage(page, (rule) => {
    const { hosts, matches } = gathered.get(rule.id) ?? { hosts: [], matches: [] };
    return {
      route: rule.route,
      rule: rule.rule,
      hosts: [...hosts].sort(compareNames),
      matches: [...matches],
      backends: rule.backends.map(({ upstream, weight }) => ({ upstream, weight })),
      tunnels: tunnels.get(rule.id) ?? 0,
    };
  });
}

async function gather(
  table: RoutingTable,
  rules: readonly CompiledRule[],
  turns: Turns,
): Promise<ReadonlyMap<string, Gathered>> {
  const gathered = new Map<string, Gathered>(
    rules.map(({ id }) => [id, { hosts: new Set<string>(), matches: new Set<string>() }]),
  );
  await walk(table.entries(), turns, ({ host, entry: { match, rule } }) => {
    const known = gathered.get(rule.id);
    if (known === undefined) return;
    known.hosts.add(host);
    known.matches.add(matchInWords(match));
  });
  return gathered;
}

async function walk(entries: Iterable<HostEntry>, turns: Turns, visit: (entry: HostEntry) => void): Promise<void> {
  let turnMs = turns.now();
  let count = 0;
  for (const entry of entries) {
    visit(entry);
    count += 1;
    if (count % ENTRIES_BETWEEN_LOOKS !== 0 || turns.now() - turnMs < TURN_MS) continue;
    await turns.nextTurn();
    turnMs = turns.now();
  }
}

/** `PathPrefix /chat, header x-team=blue, query v=2, subprotocol graphql-ws`. */
function matchInWords({ path, headers, queryParams, subprotocols }: CompiledMatch): string {
  return [
    `${path.type} ${path.value}`,
    ...headers.map(({ name, value }) => `header ${name}=${value}`),
    ...queryParams.map(({ name, value }) => `query ${name}=${value}`),
    ...(subprotocols.length === 0 ? [] : [`subprotocol ${subprotocols.join(" or ")}`]),
  ].join(", ");
}
