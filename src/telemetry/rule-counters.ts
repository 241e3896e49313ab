import type { EndCause, TunnelEnd, TunnelStats } from "../relay/index.ts";

/** A live tunnel, as far as counting it goes. */
export interface LiveTunnel {
  readonly context: { readonly route: string; readonly rule: string };
  readonly stats: TunnelStats;
}

interface RuleRecord {
  readonly route: string;
  readonly rule: string;
  /** It stands in no table any more. */
  isGone: boolean;
  opened: number;
  readonly ended: Map<EndCause, number>;
  /** Of tunnels that have ended. */
  bytesUp: number;
  bytesDown: number;
  messagesUp: number;
  messagesDown: number;
}

/** The counts of one rule at one moment. */
export interface RuleCounts {
  readonly route: string;
  readonly rule: string;
  open: number;
  readonly opened: number;
  readonly ended: readonly (readonly [EndCause, number])[];
  bytesUp: number;
  bytesDown: number;
  messagesUp: number;
  messagesDown: number;
}

/** Rules that are gone are kept for the next scrape; nobody may scrape at all, so not more than this many. */
const MAX_GONE = 10_000;

/**
 * Counts by rule. Plain records, not prom-client series: an event costs two look-ups, and thousands of rules are read
 * at a scrape in one short turn.
 */
export class RuleCounters {
  /** By id, the same as the rule's id in the table. */
  readonly #records = new Map<string, RuleRecord>();
  /** The same by route and rule: putting an id together at each event would cost more than two look-ups. */
  readonly #byRoute = new Map<string, Map<string, RuleRecord>>();
  #goneCount = 0;

  opened(route: string, rule: string): void {
    this.#record(route, rule).opened++;
  }

  ended(route: string, rule: string, end: TunnelEnd): void {
    const record = this.#record(route, rule);
    record.ended.set(end.cause, (record.ended.get(end.cause) ?? 0) + 1);
    record.bytesUp += end.stats.bytesUp;
    record.bytesDown += end.stats.bytesDown;
    record.messagesUp += end.stats.messagesUp;
    record.messagesDown += end.stats.messagesDown;
  }

  /** The rule stands in no table any more (true) or again (false); its id is `route/rule`. */
  setGone(ruleId: string, isGone: boolean): void {
    const record = this.#records.get(ruleId);
    if (record === undefined || record.isGone === isGone) return;
    record.isGone = isGone;
    this.#goneCount += isGone ? 1 : -1;
    if (this.#goneCount > MAX_GONE) this.#forgetGone(seemsOpen);
  }

  /**
   * All counts at this moment, live tunnels included, in one turn: a tunnel that ends while the text is still being
   * written must not count twice. Rules that are gone and have no tunnel any more are shown this last time.
   */
  collect(tunnels: Iterable<LiveTunnel>): readonly RuleCounts[] {
    const counts = new Map<RuleRecord, RuleCounts>();
    for (const record of this.#records.values()) {
      counts.set(record, { ...record, open: 0, ended: [...record.ended] });
    }
    for (const { context, stats } of tunnels) {
      const record = this.#find(context.route, context.rule);
      const count = record === undefined ? undefined : counts.get(record);
      if (count === undefined) continue;
      count.open++;
      count.bytesUp += stats.bytesUp;
      count.bytesDown += stats.bytesDown;
      count.messagesUp += stats.messagesUp;
      count.messagesDown += stats.messagesDown;
    }
    if (this.#goneCount > 0) this.#forgetGone((record) => (counts.get(record)?.open ?? 0) > 0);
    return [...counts.values()];
  }

  #find(route: string, rule: string): RuleRecord | undefined {
    return this.#byRoute.get(route)?.get(rule);
  }

  #record(route: string, rule: string): RuleRecord {
    return this.#find(route, rule) ?? this.#add(route, rule);
  }

  #add(route: string, rule: string): RuleRecord {
    const zero = { bytesUp: 0, bytesDown: 0, messagesUp: 0, messagesDown: 0 };
    const record: RuleRecord = { route, rule, isGone: false, opened: 0, ended: new Map(), ...zero };
    this.#records.set(idOf(record), record);
    const ofRoute = this.#byRoute.get(route);
    if (ofRoute === undefined) this.#byRoute.set(route, new Map([[rule, record]]));
    else ofRoute.set(rule, record);
    return record;
  }

  #forgetGone(isOpen: (record: RuleRecord) => boolean): void {
    for (const [id, record] of this.#records) {
      if (!record.isGone || isOpen(record)) continue;
      this.#records.delete(id);
      const ofRoute = this.#byRoute.get(record.route);
      ofRoute?.delete(record.rule);
      if (ofRoute?.size === 0) this.#byRoute.delete(record.route);
      this.#goneCount--;
    }
  }
}

/** By the counts, where it is not known which tunnels live. */
function seemsOpen(record: RuleRecord): boolean {
  let ended = 0;
  for (const count of record.ended.values()) ended += count;
  return record.opened > ended;
}

function idOf({ route, rule }: RuleRecord): string {
  return `${route}/${rule}`;
}
