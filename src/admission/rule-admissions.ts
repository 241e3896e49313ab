import type { TimerWheel } from "../relay/index.ts";
import type { CompiledRule, RuleId, UpstreamKey } from "../routing/index.ts";
import type { Balancer } from "../upstream/index.ts";
import { isUnlimited } from "./limits.ts";
import { RuleLine, type RuleLineSurroundings } from "./rule-line.ts";
import type { Applicant, Place, RuleAtWork, WaitingCount } from "./types.ts";

/** Handshakes that go on, or are refused, in one turn of the event loop: open tunnels have theirs in between. */
const MOST_PER_TURN = 16;
/** Lines looked at in one turn, whether or not anything came of it. */
const LINES_PER_TURN = 256;

export interface RuleAdmissionsOptions {
  readonly balancer: Balancer;
  readonly wheel: TimerWheel;
  /** A monotonic clock in milliseconds, the wheel's. */
  readonly now: () => number;
  /** 0 to below 1. */
  readonly random: () => number;
  /** Calls back when the event loop has looked at every socket: `setImmediate`. */
  readonly nextTurn: (callback: () => void) => void;
  /** A process that takes no new tunnels lets nobody wait. */
  readonly drain: { readonly isRefusing: boolean };
}

/**
 * What each rule takes on of the handshakes that it matches, by the rule as it is at the moment. Keeps nothing of rules that set no
 * limit; of the others a line and the level of a rate, until they are gone and nobody waits.
 */
export class RuleAdmissions {
  readonly #nextTurn: RuleAdmissionsOptions["nextTurn"];
  readonly #around: RuleLineSurroundings;
  readonly #lines = new Map<RuleId, RuleLine>();
  /** Those in which someone waits. */
  readonly #busy = new Set<RuleLine>();
  /** Those to be looked at, in this order. */
  readonly #due = new Set<RuleLine>();
  /** Upstreams that may take more than they could. */
  readonly #roomy = new Set<UpstreamKey>();
  /** Rules that stand in no table any more, and are waited for. */
  readonly #gone = new Set<RuleLine>();
  #isTurnAsked = false;
  #isStopped = false;

  constructor({ balancer, wheel, now, random, nextTurn, drain }: RuleAdmissionsOptions) {
    this.#nextTurn = nextTurn;
    this.#around = {
      balancer,
      wheel,
      now,
      random,
      isLeaving: () => this.#isStopped || drain.isRefusing,
      onDue: (line) => this.#wake(line),
      onEmpty: (line) => this.#emptied(line),
    };
    balancer.onRoom((upstream) => {
      if (this.#busy.size === 0) return;
      this.#roomy.add(upstream);
      this.#askForTurn();
    });
  }

  /** `live` counts this handshake already. Not for rules without limits, which would only cost. */
  enter(live: RuleAtWork, applicant: Applicant): Place {
    const { id } = live.rule;
    let line = this.#lines.get(id);
    if (line === undefined) {
      line = new RuleLine(live, this.#around);
      this.#lines.set(id, line);
    }
    const place = line.enter(live, applicant);
    if (!line.isEmpty) this.#busy.add(line);
    return place;
  }

  /** One of the rule's handshakes or tunnels has ended, and is not counted any more. */
  left(id: RuleId): void {
    if (this.#busy.size === 0) return;
    const line = this.#lines.get(id);
    if (line !== undefined && !line.isEmpty) this.#wake(line);
  }

  /** A commit changed these rules. */
  rulesChanged(changed: ReadonlyMap<RuleId, CompiledRule>): void {
    // The fewer of both are walked: a commit may bring tens of thousands of rules.
    for (const id of changed.size < this.#lines.size ? changed.keys() : this.#lines.keys()) {
      const line = this.#lines.get(id);
      const rule = changed.get(id);
      if (line === undefined || rule === undefined) continue;
      this.#gone.delete(line);
      if (!line.isEmpty) this.#wake(line);
      else if (isUnlimited(rule.policy.admission)) this.#lines.delete(id);
    }
  }

  /** These rules stand in no table any more. */
  forgetRules(ids: readonly RuleId[]): void {
    if (this.#lines.size === 0) return;
    for (const id of ids) {
      const line = this.#lines.get(id);
      if (line === undefined) continue;
      if (line.isEmpty) this.#lines.delete(id);
      else this.#gone.add(line);
    }
  }

  /** From now on nobody waits any more, and whoever does is refused. */
  stop(): void {
    this.#isStopped = true;
    for (const line of this.#busy) this.#wake(line);
  }

  /** Rules for which handshakes wait at this moment. */
  *waiting(): Iterable<WaitingCount> {
    for (const line of this.#busy) yield line.waiting;
  }

  /** Rules of which something is kept. */
  get size(): number {
    return this.#lines.size;
  }

  #wake(line: RuleLine): void {
    this.#due.add(line);
    this.#askForTurn();
  }

  #askForTurn(): void {
    if (this.#isTurnAsked) return;
    this.#isTurnAsked = true;
    this.#nextTurn(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnAsked = false;
    this.#takeRoom();
    let lines = LINES_PER_TURN;
    let left = MOST_PER_TURN;
    for (const line of this.#due) {
      if (lines === 0 || left === 0) break;
      this.#due.delete(line);
      const count = line.pump(left);
      // Whoever had its turn comes after all others.
      if (count === left && !line.isEmpty) this.#due.add(line);
      left -= count;
      lines -= 1;
    }
    if (this.#due.size > 0) this.#askForTurn();
  }

  #takeRoom(): void {
    if (this.#roomy.size === 0) return;
    for (const line of this.#busy) {
      if (line.rule.backends.some(({ upstream }) => this.#roomy.has(upstream))) this.#due.add(line);
    }
    this.#roomy.clear();
  }

  #emptied(line: RuleLine): void {
    this.#busy.delete(line);
    this.#due.delete(line);
    const { id, policy } = line.rule;
    if (this.#gone.delete(line) || isUnlimited(policy.admission)) this.#lines.delete(id);
  }
}
