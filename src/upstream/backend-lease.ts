import type { BackendState } from "./backend-state.ts";
import type { AffinityMark, Backend, BalancedRule, Lease, LeaseOutcome, Wish } from "./types.ts";

/** Told of each lease right after it was counted, and right after it was not counted any more. */
export interface LeaseKeeper {
  raised(backend: BackendState): void;
  lowered(backend: BackendState): void;
  /** It gave an answer. */
  answered(backend: BackendState): void;
  /** Something speaks against it; `policy`: the rule's. */
  failed(backend: BackendState, outcome: FailedOutcome, policy: BalancedRule["policy"]): void;
}

export type FailedOutcome = Extract<LeaseOutcome, "dialFailed" | "badAnswer" | "endedEarly">;

export interface LeaseTerms {
  readonly use: Wish["use"];
  readonly policy: BalancedRule["policy"];
  readonly affinity: AffinityMark | undefined;
}

/** Counts itself on its backend from the moment it is made until it is released. */
export class BackendLease implements Lease {
  readonly affinity: AffinityMark | undefined;
  readonly #state: BackendState;
  readonly #keeper: LeaseKeeper;
  readonly #policy: BalancedRule["policy"];
  #phase: "handshake" | "request" | "tunnel" | "released";

  constructor(state: BackendState, keeper: LeaseKeeper, { use, policy, affinity }: LeaseTerms) {
    this.#state = state;
    this.#keeper = keeper;
    this.#policy = policy;
    this.affinity = affinity;
    this.#phase = use === "tunnel" ? "handshake" : "request";
    if (use === "tunnel") state.handshakes++;
    else state.requests++;
    keeper.raised(state);
  }

  get backend(): Backend {
    return this.#state.backend;
  }

  opened(): void {
    if (this.#phase !== "handshake") return;
    this.#phase = "tunnel";
    this.#state.handshakes--;
    this.#state.tunnels++;
    this.#keeper.answered(this.#state);
  }

  release(outcome: LeaseOutcome): void {
    const phase = this.#phase;
    if (phase === "released") return;
    this.#phase = "released";
    if (phase === "handshake") this.#state.handshakes--;
    else if (phase === "request") this.#state.requests--;
    else this.#state.tunnels--;
    if (outcome === "dialFailed" || outcome === "badAnswer" || outcome === "endedEarly") {
      this.#keeper.failed(this.#state, outcome, this.#policy);
    } else if (phase !== "tunnel" && outcome !== "lost") this.#keeper.answered(this.#state);
    this.#keeper.lowered(this.#state);
  }
}
