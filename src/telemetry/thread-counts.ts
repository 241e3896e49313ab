import type { UpstreamStats } from "../upstream/index.ts";
import type { LoopDelay } from "./loop-delay.ts";
import type { RuleCounts } from "./rule-counters.ts";

/** How many rules are added up before other work gets a turn; about a millisecond. */
const RULES_PER_TURN = 500;

/** What one data thread has counted, at one moment. Plain, cloneable data. */
export interface ThreadCounts {
  readonly thread: number;
  /** Counters and histograms, as prom-client writes them out. */
  readonly counters: readonly object[];
  readonly rules: readonly RuleCounts[];
  readonly upstreams: readonly UpstreamStats[];
  readonly loopDelay: LoopDelay;
  readonly droppedLogLines: number;
}

/** Tunnels of a thread that are open. */
export function openTunnels(rules: readonly RuleCounts[]): number {
  return rules.reduce((sum, rule) => sum + rule.open, 0);
}

/** The counts of the same rules on several threads, added up in slices; `nextTurn` lets all that waits have its turn. */
export async function sumRules(
  parts: readonly (readonly RuleCounts[])[],
  nextTurn: () => Promise<void>,
): Promise<readonly RuleCounts[]> {
  if (parts.length === 1) return parts[0] as readonly RuleCounts[];
  const sums = new Map<string, RuleCounts>();
  for (const slice of parts.flatMap(ruleSlices)) {
    for (const rule of slice) {
      const id = `${rule.route}/${rule.rule}`;
      const sum = sums.get(id);
      sums.set(id, sum === undefined ? rule : sumOfTwo(sum, rule));
    }
    await nextTurn();
  }
  return [...sums.values()];
}

/** Rules in portions that a thread can take in one turn. */
export function ruleSlices(rules: readonly RuleCounts[]): readonly (readonly RuleCounts[])[] {
  const count = Math.ceil(rules.length / RULES_PER_TURN);
  return Array.from({ length: count }, (_, i) => rules.slice(i * RULES_PER_TURN, (i + 1) * RULES_PER_TURN));
}

function sumOfTwo(one: RuleCounts, other: RuleCounts): RuleCounts {
  const ended = new Map(one.ended);
  for (const [cause, count] of other.ended) ended.set(cause, (ended.get(cause) ?? 0) + count);
  return {
    route: one.route,
    rule: one.rule,
    isGone: one.isGone,
    open: one.open + other.open,
    opened: one.opened + other.opened,
    ended: [...ended],
    bytesUp: one.bytesUp + other.bytesUp,
    bytesDown: one.bytesDown + other.bytesDown,
    messagesUp: one.messagesUp + other.messagesUp,
    messagesDown: one.messagesDown + other.messagesDown,
  };
}

/**
 * Of the same upstreams on several threads: tunnels and requests add up. Backends do not, since each thread knows them
 * all: ready ones are as the first thread says, draining ones as the thread says that still has most.
 */
export function sumUpstreams(parts: readonly (readonly UpstreamStats[])[]): readonly UpstreamStats[] {
  const [first = [], ...others] = parts;
  const sums = new Map(first.map((stats) => [stats.upstream, stats]));
  for (const stats of others.flat()) {
    const sum = sums.get(stats.upstream) ?? { ...stats, ready: 0, draining: 0, pending: 0, tunnels: 0 };
    sums.set(stats.upstream, {
      upstream: stats.upstream,
      ready: sum.ready,
      draining: Math.max(sum.draining, stats.draining),
      pending: sum.pending + stats.pending,
      tunnels: sum.tunnels + stats.tunnels,
    });
  }
  return [...sums.values()];
}

/** The worst of several threads, each statistic by itself. */
export function worstDelay(delays: readonly LoopDelay[]): LoopDelay {
  return {
    p50Seconds: Math.max(...delays.map(({ p50Seconds }) => p50Seconds)),
    p99Seconds: Math.max(...delays.map(({ p99Seconds }) => p99Seconds)),
    maxSeconds: Math.max(...delays.map(({ maxSeconds }) => maxSeconds)),
  };
}
