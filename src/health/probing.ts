import type { ActiveHealth, CompiledRule, RuleId, UpstreamKey } from "../routing/index.ts";
import type { UpstreamRegistry } from "../upstream/index.ts";
import { ProbeKind } from "./probe-kind.ts";
import { ProbeTurns } from "./probe-turns.ts";
import type { ProbingSurroundings } from "./probed-backend.ts";

/** Each has a socket. Of one namespace only a part, since a probe that hangs has its turn for as long as its rule allows. */
const MOST_AT_ONCE = 200;
export const MOST_OF_NAMESPACE = 50;
/** Each rule may ask something else, and each answer costs its backend and us something. */
export const MOST_KINDS = 16;
/** So long at a time for what a commit changed. */
const TURN_MS = 4;

export interface ProbingOptions
  extends Pick<ProbingSurroundings, "wheel" | "random" | "now" | "isForbidden" | "observer"> {
  readonly registry: Pick<UpstreamRegistry, "ready" | "verdicts">;
}

/** What of a rule matters here. */
interface RuleProbes {
  readonly active: ActiveHealth;
  /** Those that the rule gives a share; one that it names twice is there twice. */
  readonly upstreams: readonly UpstreamKey[];
}

/**
 * Probes each backend that is ready and that some rule with `health.active` leads to, once for all rules that ask the same. What
 * is not probed, or not yet, is well: the source says that it is ready.
 */
export class Probing {
  readonly #registry: ProbingOptions["registry"];
  readonly #around: ProbingSurroundings;
  readonly #rules = new Map<RuleId, RuleProbes>();
  readonly #kinds = new Map<ActiveHealth["key"], ProbeKind>();
  /** In the order in which they were first asked for; the first ones are done. */
  readonly #kindsOf = new Map<UpstreamKey, Set<ProbeKind>>();
  /** What a commit changed and was not taken over yet. */
  readonly #pending = new Map<RuleId, RuleProbes | undefined>();
  #later: NodeJS.Immediate | undefined;
  #isStopped = false;

  constructor({ registry, ...around }: ProbingOptions) {
    const turns = new ProbeTurns({ most: MOST_AT_ONCE, mostOfLane: MOST_OF_NAMESPACE });
    this.#registry = registry;
    this.#around = { ...around, verdicts: registry.verdicts, turns };
  }

  /** Backends that are probed, each counted for each kind of probe. */
  get size(): number {
    return [...this.#kinds.values()].reduce((sum, kind) => sum + kind.size, 0);
  }

  /** Probes under way. */
  get underWay(): number {
    return this.#around.turns.running;
  }

  /** To be called after each commit, with all rules that may say something else now. Of many, most are taken over later. */
  rulesChanged(changed: ReadonlyMap<RuleId, CompiledRule>): void {
    if (this.#isStopped) return;
    for (const [id, rule] of changed) {
      if (this.#pending.has(id) || !saysTheSame(this.#rules.get(id), rule)) this.#pending.set(id, probesOf(rule));
    }
    this.#takeOver();
  }

  /** These rules are in no table any more. */
  rulesGone(ids: readonly RuleId[]): void {
    for (const id of ids) {
      this.#pending.delete(id);
      this.#apply(id, undefined);
    }
  }

  /** The upstream's endpoints were taken over: other backends may be ready. */
  listed(upstream: UpstreamKey): void {
    this.#review(upstream);
  }

  /** No probe is under way or begins any more; for the end of the process. */
  stop(): void {
    this.#isStopped = true;
    clearImmediate(this.#later);
    this.#pending.clear();
    for (const kind of this.#kinds.values()) kind.stop();
    this.#kinds.clear();
    this.#kindsOf.clear();
    this.#rules.clear();
  }

  /** What a commit changed, in turns: thousands of rules, each with its backends, would keep this thread too long. */
  #takeOver(): void {
    const { now } = this.#around;
    const startedMs = now();
    for (const [id, next] of this.#pending) {
      this.#pending.delete(id);
      this.#apply(id, next);
      if (now() - startedMs >= TURN_MS) break;
    }
    clearImmediate(this.#later);
    this.#later = this.#pending.size === 0 ? undefined : setImmediate(() => this.#takeOver());
  }

  #apply(id: RuleId, next: RuleProbes | undefined): void {
    const before = this.#rules.get(id);
    if (next === undefined) {
      this.#rules.delete(id);
    } else {
      this.#rules.set(id, next);
      this.#enter(next, before);
    }
    if (before !== undefined) this.#leave(before);
  }

  #enter({ active, upstreams }: RuleProbes, before: RuleProbes | undefined): void {
    const known = this.#kinds.get(active.key);
    const kind = known ?? this.#newKind(active);
    const isHeir = known === undefined && before !== undefined && asksTheSame(before.active, active);
    kind.past = isHeir ? this.#kinds.get(before.active.key) : undefined;
    for (const upstream of upstreams) {
      if (!kind.enter(upstream)) continue;
      const kinds = this.#kindsOf.get(upstream) ?? new Set();
      this.#kindsOf.set(upstream, kinds.add(kind));
      if (kinds.size <= MOST_KINDS) kind.review(upstream, this.#registry.ready(upstream));
      else this.#around.observer.crowded(upstream, MOST_KINDS);
    }
    kind.past = undefined;
  }

  #leave({ active, upstreams }: RuleProbes): void {
    const kind = this.#kinds.get(active.key);
    if (kind === undefined) return;
    for (const upstream of upstreams) {
      if (!kind.leave(upstream)) continue;
      kind.review(upstream, []);
      const kinds = this.#kindsOf.get(upstream);
      kinds?.delete(kind);
      if (kinds?.size === 0) this.#kindsOf.delete(upstream);
      // Another one has its place now.
      else if (kinds !== undefined && kinds.size >= MOST_KINDS) this.#review(upstream);
    }
    if (kind.isUnused) this.#kinds.delete(active.key);
  }

  #newKind(active: ActiveHealth): ProbeKind {
    const kind = new ProbeKind(active, this.#around);
    this.#kinds.set(active.key, kind);
    return kind;
  }

  #review(upstream: UpstreamKey): void {
    const kinds = this.#kindsOf.get(upstream);
    if (kinds === undefined) return;
    const ready = this.#registry.ready(upstream);
    let place = 0;
    for (const kind of kinds) kind.review(upstream, place++ < MOST_KINDS ? ready : []);
  }
}

function probesOf({ policy, backends }: CompiledRule): RuleProbes | undefined {
  const { active } = policy.health;
  if (active === undefined) return undefined;
  return { active, upstreams: backends.filter(({ weight }) => weight > 0).map(({ upstream }) => upstream) };
}

/** Without a copy of anything: a commit may bring thousands of rules that say what they said before. */
function saysTheSame(before: RuleProbes | undefined, { policy, backends }: CompiledRule): boolean {
  const { active } = policy.health;
  if (before === undefined || active === undefined) return before === active;
  if (before.active.key !== active.key) return false;
  let place = 0;
  for (const { upstream, weight } of backends) {
    if (weight === 0) continue;
    if (before.upstreams[place] !== upstream) return false;
    place++;
  }
  return place === before.upstreams.length;
}

/** It is the same question, whoever wants how many answers to it how often. */
function asksTheSame(a: ActiveHealth, b: ActiveHealth): boolean {
  return a.type === b.type && a.path === b.path && a.host === b.host && a.port === b.port;
}
