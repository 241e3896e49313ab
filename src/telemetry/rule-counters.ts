import type { EndCause, TunnelEnd, TunnelStats } from "../relay/index.ts";

/** A live tunnel, as far as counting it goes. */
export interface LiveTunnel {
  readonly context: { readonly route: string; readonly rule: string };
  readonly stats: TunnelStats;
}

interface RuleRecord {
  readonly route: string;
  readonly rule: string;
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
  /** It stands in no table any more. */
  readonly isGone: boolean;
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
 * Counts by rule. Plain records, not prom-client series: an event costs one look-up, and thousands of rules are read
 * at a scrape in one short turn.
 */
export class RuleCounters {
  readonly #records = new Map<string, RuleRecord>();
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
    if (this.#goneCount > MAX_GONE) this.#forgetGone(undefined);
  }

  /** Adds what a thread that ended had counted; the tunnels that it had open were cut. */
  inherit(rules: readonly RuleCounts[]): void {
    for (const rule of rules) {
      const isNew = !this.#records.has(idOf(rule.route, rule.rule));
      const record = this.#record(rule.route, rule.rule);
      record.opened += rule.opened;
      for (const [cause, count] of rule.ended) record.ended.set(cause, (record.ended.get(cause) ?? 0) + count);
      if (rule.open > 0) record.ended.set("cut", (record.ended.get("cut") ?? 0) + rule.open);
      record.bytesUp += rule.bytesUp;
      record.bytesDown += rule.bytesDown;
      record.messagesUp += rule.messagesUp;
      record.messagesDown += rule.messagesDown;
      if (isNew && rule.isGone) this.setGone(idOf(rule.route, rule.rule), true);
    }
  }

  /**
   * All counts at this moment, live tunnels included, in one turn: a tunnel that ends while the text is still being
   * written must not count twice. Rules that are gone and have no tunnel any more are shown this last time.
   */
  collect(tunnels: Iterable<LiveTunnel>): readonly RuleCounts[] {
    const counts = new Map<string, RuleCounts>();
    for (const [id, record] of this.#records) counts.set(id, { ...record, open: 0, ended: [...record.ended] });
    const open = new Set<string>();
    for (const { context, stats } of tunnels) {
      const id = idOf(context.route, context.rule);
      const count = counts.get(id);
      if (count === undefined) continue;
      open.add(id);
      count.open++;
      count.bytesUp += stats.bytesUp;
      count.bytesDown += stats.bytesDown;
      count.messagesUp += stats.messagesUp;
      count.messagesDown += stats.messagesDown;
    }
    if (this.#goneCount > 0) this.#forgetGone(open);
    return [...counts.values()];
  }

  #record(route: string, rule: string): RuleRecord {
    const id = idOf(route, rule);
    let record = this.#records.get(id);
    if (record === undefined) {
      const zero = { bytesUp: 0, bytesDown: 0, messagesUp: 0, messagesDown: 0 };
      record = { route, rule, isGone: false, opened: 0, ended: new Map(), ...zero };
      this.#records.set(id, record);
    }
    return record;
  }

  /** `open`: ids of rules with live tunnels; undefined = not known, all that seem to have none by the counts go. */
  #forgetGone(open: ReadonlySet<string> | undefined): void {
    for (const [id, record] of this.#records) {
      if (!record.isGone || (open === undefined ? seemsOpen(record) : open.has(id))) continue;
      this.#records.delete(id);
      this.#goneCount--;
    }
  }
}

function seemsOpen(record: RuleRecord): boolean {
  let ended = 0;
  for (const count of record.ended.values()) ended += count;
  return record.opened > ended;
}

/** The same as the rule's id in the table. */
function idOf(route: string, rule: string): string {
  return `${route}/${rule}`;
}
