import type { WaitingCount } from "../admission/index.ts";
import type { DrainFacts, DrainReason } from "../drain/index.ts";
import type { EndCause } from "../relay/index.ts";
import type { UpstreamStats } from "../upstream/index.ts";
import type { Exposition, Sample } from "./exposition.ts";
import type { LoopDelay } from "./loop-delay.ts";
import { METRICS } from "./metric-definitions.ts";
import type { PingCounts } from "./ping-counters.ts";
import type { RuleCounts } from "./rule-counters.ts";

/** What the buffer budget says of itself. */
export interface BufferCounts {
  readonly usedBytes: number;
  readonly limitBytes: number;
  readonly heldFlows: number;
}

/** Writes the families that are counted by rule. */
export async function addRules(out: Exposition, rules: readonly RuleCounts[]): Promise<void> {
  await out.add(
    METRICS.openTunnels,
    samples(rules, (rule) => [[[], rule.open]]),
  );
  await out.add(
    METRICS.tunnelsOpened,
    samples(rules, (rule) => [[[], rule.opened]]),
  );
  await out.add(
    METRICS.tunnelsEnded,
    samples(rules, (rule) => rule.ended.map(endedSample)),
  );
  await out.add(
    METRICS.tunnelBytes,
    samples(rules, (rule) => upAndDown(rule.bytesUp, rule.bytesDown)),
  );
  await out.add(
    METRICS.tunnelMessages,
    samples(rules, (rule) => upAndDown(rule.messagesUp, rule.messagesDown)),
  );
}

/** Writes the families that are counted by upstream. */
export async function addUpstreams(out: Exposition, upstreams: readonly UpstreamStats[]): Promise<void> {
  await out.add(
    METRICS.upstreamTunnels,
    upstreams.map(({ upstream, tunnels }): Sample => [[upstream], tunnels]),
  );
  await out.add(
    METRICS.upstreamPending,
    upstreams.map(({ upstream, pending }): Sample => [[upstream], pending]),
  );
  await out.add(
    METRICS.upstreamBackends,
    upstreams.flatMap(({ upstream, ready, draining }): Sample[] => [
      [[upstream, "ready"], ready],
      [[upstream, "draining"], draining],
    ]),
  );
  await out.add(
    METRICS.upstreamBackendsOut,
    upstreams.flatMap(({ upstream, out: words }) =>
      [...words].map(([reason, count]): Sample => [[upstream, reason], count]),
    ),
  );
}

/** Writes who waits for a rule; nothing where nobody does. */
export async function addWaiting(out: Exposition, counts: Iterable<WaitingCount>): Promise<void> {
  const waiting = [...counts].map(({ route, rule, why, count }): Sample => [[route, rule, why], count]);
  if (waiting.length > 0) await out.add(METRICS.waitingHandshakes, waiting);
}

/** Writes who is in drains. */
export async function addDrains(out: Exposition, drains: Iterable<DrainFacts>): Promise<void> {
  const sums = new Map<DrainReason, { waiting: number; closing: number }>();
  for (const { reason, waiting, closing } of drains) {
    const sum = sums.get(reason) ?? { waiting: 0, closing: 0 };
    sums.set(reason, { waiting: sum.waiting + waiting, closing: sum.closing + closing });
  }
  await out.add(
    METRICS.drainTunnels,
    [...sums].flatMap(([reason, { waiting, closing }]): Sample[] => [
      [[reason, "waiting"], waiting],
      [[reason, "closing"], closing],
    ]),
  );
}

/** Writes what waits in buffers, and what may. */
export async function addBuffers(out: Exposition, { usedBytes, limitBytes, heldFlows }: BufferCounts): Promise<void> {
  await out.add(METRICS.bufferedBytes, [[[], usedBytes]]);
  await out.add(METRICS.bufferBudget, [[[], limitBytes]]);
  await out.add(METRICS.readersHeld, [[[], heldFlows]]);
}

/** Writes the families about our Pings. */
export async function addPings(out: Exposition, { sent, answered, roundTrip }: PingCounts): Promise<void> {
  await out.add(METRICS.pingsSent, sent);
  await out.add(METRICS.pingsAnswered, answered);
  out.addHistogram(METRICS.pingRoundTrip, roundTrip);
}

/** Writes how late the event loop was. */
export async function addLoopDelay(out: Exposition, delay: LoopDelay): Promise<void> {
  await out.add(METRICS.eventLoopDelay, [
    [["p50"], delay.p50Seconds],
    [["p99"], delay.p99Seconds],
    [["max"], delay.maxSeconds],
  ]);
}

function* samples(rules: readonly RuleCounts[], of: (rule: RuleCounts) => readonly Sample[]): Iterable<Sample> {
  for (const rule of rules) {
    for (const [labels, value] of of(rule)) yield [[rule.route, rule.rule, ...labels], value];
  }
}

function endedSample([cause, count]: readonly [EndCause, number]): Sample {
  return [[cause], count];
}

function upAndDown(up: number, down: number): readonly Sample[] {
  return [
    [["up"], up],
    [["down"], down],
  ];
}
