import type { StormRun } from "./records.ts";

/** What one storm came to. Times in seconds are since the backend was killed. */
export interface StormFigures {
  readonly rate: number | undefined;
  readonly clients: number;
  readonly back: number;
  /** Until the last client that came back had its 101. */
  readonly lastBackSeconds: number;
  /** What the rate alone lets expect: clients / rate; undefined without one. */
  readonly computedSeconds: number | undefined;
  /** 101s that clients got, by second. */
  readonly admittedBySecond: readonly number[];
  /** In any second, wherever it begins: in the two after the first 101, with the bucket's burst in it, and later. */
  readonly mostInASecond: { readonly first: number; readonly later: number };
  /** 101s beyond the bucket's bound rate * (1 + seconds), at the worst moment; 0 = it was kept. Undefined without a rate. */
  readonly beyondBound: number | undefined;
  readonly tries: number;
  /** By `holdfast-error`, or by status where a backend said no. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Refusals that did not say when to come back. */
  readonly unadvised: number;
  /** Tries that had no answer, and tunnels that were not to end and did. */
  readonly failures: readonly string[];
  readonly closes: Readonly<Record<string, number>>;
  readonly echoes: EchoFigures;
  readonly loopDelayMs: StormRun["proxy"]["loopDelayMs"];
  readonly memory: StormRun["proxy"]["memory"];
  readonly cpuSeconds: number;
  /** Of all processors in the quiet window, whoever used them: what else ran on the machine shows in it. */
  readonly busyPercent: number;
}

/** Of the established tunnels. */
interface EchoFigures {
  readonly quiet: Latencies;
  /** From the loss until the last client was back. */
  readonly storm: Latencies;
  /** The same without its first seconds, in which the proxy ends the lost tunnels. */
  readonly afterLoss: Latencies;
  /** Of the storm, by second. */
  readonly p99BySecondMs: readonly number[];
}

/** Of round trips, in milliseconds. */
interface Latencies {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const BURST_SECONDS = 2;
const LOSS_SECONDS = 2;
const MOST_WORDS = 5;

export function figuresOf(run: StormRun): StormFigures {
  const { rate, storm, proxy } = run;
  const backs = backSeconds(run);
  const last = backs.at(-1) ?? 0;
  const burstEnds = (backs[0] ?? 0) + BURST_SECONDS;
  return {
    rate,
    clients: storm.clients.length,
    back: storm.clients.filter(({ isProved }) => isProved).length,
    lastBackSeconds: last,
    computedSeconds: rate === undefined ? undefined : storm.clients.length / rate,
    admittedBySecond: bySecond(backs),
    mostInASecond: {
      first: mostInASecond(backs.filter((at) => at < burstEnds)),
      later: mostInASecond(backs.filter((at) => at >= burstEnds)),
    },
    beyondBound: rate === undefined ? undefined : beyondBound(backs, rate),
    tries: storm.clients.reduce((sum, { tries }) => sum + tries, 0),
    refusals: refusalsOf(run),
    unadvised: storm.refusals.filter(({ retryAfter }) => retryAfter === null).length,
    failures: failuresOf(run),
    closes: storm.closes,
    echoes: echoesOf(run, last),
    loopDelayMs: proxy.loopDelayMs,
    memory: proxy.memory,
    cpuSeconds: proxy.cpuSeconds,
    busyPercent: run.busyPercent,
  };
}

/** When each client was back, in order. */
function backSeconds({ storm, killedMs }: StormRun): readonly number[] {
  const { originMs, clients } = storm;
  return clients
    .flatMap(({ backMs }) => (backMs === null ? [] : [(originMs + backMs - killedMs) / 1_000]))
    .sort((a, b) => a - b);
}

function bySecond(times: readonly number[]): readonly number[] {
  const counts = Array.from({ length: Math.floor(times.at(-1) ?? -1) + 1 }, () => 0);
  for (const at of times) counts[Math.max(0, Math.floor(at))]! += 1;
  return counts;
}

/** `times` in order. */
function mostInASecond(times: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[from]! <= times[to]! - 1) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

/**
 * A bucket that was full at the loss has let through at most rate * (1 + t) by t. A client learns of it later and never
 * sooner, so what the clients saw is bounded by it too, whatever the machine does.
 */
function beyondBound(times: readonly number[], rate: number): number {
  return Math.max(0, ...times.map((at, index) => Math.ceil(index + 1 - rate * (1 + at))));
}

function refusalsOf({ storm }: StormRun): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { code, status } of storm.refusals) {
    const name = code === "" ? `${status} of a backend` : `${code} (${status})`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** In words, the same ones counted. */
function failuresOf({ storm, steady }: StormRun): readonly string[] {
  const counts = new Map<string, number>();
  for (const { words } of storm.failures) counts.set(words, (counts.get(words) ?? 0) + 1);
  const tries = [...counts].slice(0, MOST_WORDS).map(([words, count]) => `${count} tries failed: ${words}`);
  const left = storm.clients.filter(({ isProved }) => !isProved).length;
  const unanswered = steady.latenciesUs.filter((took) => took < 0).length;
  return [
    ...tries,
    ...(left > 0 ? [`${left} clients did not come back`] : []),
    ...(storm.lostAgain > 0 ? [`${storm.lostAgain} tunnels were lost after they had come back`] : []),
    ...(steady.ended > 0 ? [`${steady.ended} established tunnels ended: ${steady.firstError ?? ""}`] : []),
    ...(unanswered > 0 ? [`${unanswered} echoes of established tunnels did not come back`] : []),
  ];
}

/** A message belongs to the window in which it was due; one that did not come back counts for nothing here. */
function echoesOf({ steady, quietFromMs, killedMs }: StormRun, last: number): EchoFigures {
  const within = (fromMs: number, toMs: number): readonly number[] => {
    const index = (ms: number): number => Math.max(0, Math.ceil(((ms - steady.startMs) * 1_000) / steady.everyUs));
    return steady.latenciesUs.slice(index(fromMs), index(toMs)).filter((took) => took >= 0);
  };
  const seconds = Array.from({ length: Math.ceil(last) }, (_, second) => killedMs + second * 1_000);
  return {
    quiet: latenciesOf(within(quietFromMs, killedMs)),
    storm: latenciesOf(within(killedMs, killedMs + last * 1_000)),
    afterLoss: latenciesOf(within(killedMs + LOSS_SECONDS * 1_000, killedMs + last * 1_000)),
    p99BySecondMs: seconds.map((fromMs) => latenciesOf(within(fromMs, fromMs + 1_000)).p99),
  };
}

function latenciesOf(us: readonly number[]): Latencies {
  const sorted = [...us].sort((a, b) => a - b);
  const at = (share: number): number => (sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN) / 1_000;
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
