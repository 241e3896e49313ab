import type { CompiledRule, RetryReason } from "../routing/index.ts";
import type { Balancer, Lease, Wish } from "../upstream/index.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { ProxyObserver } from "./types.ts";

export interface FurtherTriesOptions {
  /** As it is now. */
  readonly rule: () => CompiledRule;
  readonly budget: RetryBudget;
  readonly balancer: Pick<Balancer, "acquire">;
  readonly observer: Pick<ProxyObserver, "triedAgain">;
  readonly isUpgrade: boolean;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
}

/** The tries that one request has beside its first, by its rule's `retry`. */
export class FurtherTries {
  readonly #options: FurtherTriesOptions;
  #count = 0;

  constructor(options: FurtherTriesOptions) {
    this.#options = options;
  }

  /** How many more there may be after such a failure, as far as the rule goes. */
  left(reason: RetryReason): number {
    const { on, attempts } = this.#options.rule().policy.retry;
    return on.includes(reason) ? Math.max(0, attempts - this.#count) : 0;
  }

  /** The place for one more try, on a backend that `wish` does not name as tried; undefined = there is none. */
  next(reason: RetryReason, wish: Wish): Lease | undefined {
    if (this.left(reason) === 0) return undefined;
    const { rule, budget, balancer, observer, isUpgrade, now } = this.#options;
    const { retry } = rule().policy;
    if (!budget.hasLeft(retry, now())) {
      observer.triedAgain({ reason, result: "no_budget", upgrade: isUpgrade });
      return undefined;
    }
    const lease = balancer.acquire(rule(), wish);
    observer.triedAgain({ reason, result: lease === undefined ? "no_backend" : "tried", upgrade: isUpgrade });
    if (lease === undefined) return undefined;
    budget.spend(retry);
    this.#count++;
    return lease;
  }
}
