import type { RetryPolicy, RuleId } from "../routing/index.ts";

/** What requests earn is there for so long, and for the time of the same length that follows. */
const WINDOW_MS = 5_000;
/** Further tries that need not be earned, so that a rule with few requests has some. */
const FREE_PER_SECOND = 10;

/**
 * How many further tries a rule has: a share of its requests, beside a few each second. When all backends fail, tries on top of
 * what clients themselves try again would keep them down.
 */
export class RetryBudget {
  #windowMs: number;
  #requests = 0;
  #requestsBefore = 0;
  #spent = 0;
  #spentBefore = 0;
  #free = FREE_PER_SECOND;
  #freeAtMs: number;

  constructor(nowMs: number) {
    this.#windowMs = nowMs;
    this.#freeAtMs = nowMs;
  }

  /** One more request of the rule. */
  earn(nowMs: number): void {
    this.#pass(nowMs);
    this.#requests++;
  }

  /** Whether one more try may be spent. */
  hasLeft({ budgetPercent }: RetryPolicy, nowMs: number): boolean {
    this.#pass(nowMs);
    return this.#isEarned(budgetPercent) || this.#free >= 1;
  }

  /** To be called right after `hasLeft` said so. */
  spend({ budgetPercent }: RetryPolicy): void {
    if (this.#isEarned(budgetPercent)) this.#spent++;
    else this.#free--;
  }

  #isEarned(percent: number): boolean {
    return (this.#spent + this.#spentBefore + 1) * 100 <= (this.#requests + this.#requestsBefore) * percent;
  }

  #pass(nowMs: number): void {
    if (nowMs > this.#freeAtMs) {
      const gained = ((nowMs - this.#freeAtMs) * FREE_PER_SECOND) / 1_000;
      this.#free = Math.min(FREE_PER_SECOND, this.#free + gained);
      this.#freeAtMs = nowMs;
    }
    const passedMs = nowMs - this.#windowMs;
    if (passedMs < WINDOW_MS) return;
    const isNext = passedMs < 2 * WINDOW_MS;
    this.#requestsBefore = isNext ? this.#requests : 0;
    this.#spentBefore = isNext ? this.#spent : 0;
    this.#requests = 0;
    this.#spent = 0;
    this.#windowMs = isNext ? this.#windowMs + WINDOW_MS : nowMs;
  }
}

/** The budgets of all rules that try again, each for as long as its rule stands in the table. */
export class RetryBudgets {
  readonly #budgets = new Map<RuleId, RetryBudget>();

  /** That of a rule from which a request has just come. */
  earn(id: RuleId, nowMs: number): RetryBudget {
    let budget = this.#budgets.get(id);
    if (budget === undefined) {
      budget = new RetryBudget(nowMs);
      this.#budgets.set(id, budget);
    }
    budget.earn(nowMs);
    return budget;
  }

  /** These rules are in no table any more. */
  forgetRules(ids: readonly RuleId[]): void {
    if (this.#budgets.size > 0) for (const id of ids) this.#budgets.delete(id);
  }

  /** Rules of which something is kept. */
  get size(): number {
    return this.#budgets.size;
  }
}
