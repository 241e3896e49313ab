import type { AdmissionPolicy } from "../routing/index.ts";
import { Appointments, spread } from "./retry-after.ts";
import type { AdmissionRefusal } from "./types.ts";

interface RefusedFacts {
  readonly why: AdmissionRefusal["why"];
  /** As it is now. */
  readonly policy: AdmissionPolicy;
  readonly heldMs: number;
  readonly queuedMs: number;
  /** Those of the rule that still wait. */
  readonly waiting: number;
  readonly nowMs: number;
}

/** What those of one rule are told that it does not take on. */
export class Refusals {
  readonly #random: () => number;
  #appointments = new Appointments();

  constructor(random: () => number) {
    this.#random = random;
  }

  /** The rate is another one: what was given out under the one before does not count. */
  rateChanged(): void {
    this.#appointments = new Appointments();
  }

  make(facts: RefusedFacts): AdmissionRefusal {
    return { why: facts.why, detail: detailOf(facts), retryAfterS: this.#retryAfterS(facts) };
  }

  #retryAfterS({ why, policy, heldMs, nowMs, waiting }: RefusedFacts): number | undefined {
    switch (why) {
      case "rate":
        return this.#appointments.next({ nowMs, perSecond: policy.handshakesPerSecond, ahead: waiting }, this.#random);
      case "tunnels":
      case "backends":
        // Tunnels end when they end.
        return spread(5, 15, this.#random);
      case "none":
        return policy.holdSize === 0 && heldMs === 0 ? undefined : spread(1, 5, this.#random);
      case "leaving":
        return spread(1, 5, this.#random);
    }
  }
}

function detailOf({ why, policy, heldMs, queuedMs, waiting }: RefusedFacts): string {
  const waited = [
    ...(heldMs > 0 ? [`it was held for ${inSeconds(heldMs)}`] : []),
    ...(queuedMs > 0 ? [`it has waited for ${inSeconds(queuedMs)}`] : []),
  ];
  const isTold = waited.length === 0 && waiting > 0 && why !== "leaving";
  const others = isTold ? [`${waiting} ${why === "none" ? "are held" : "wait"} already`] : [];
  return [...limitOf(why, policy), ...waited, ...others].join("; ");
}

function limitOf(why: AdmissionRefusal["why"], policy: AdmissionPolicy): readonly string[] {
  switch (why) {
    case "tunnels":
      return [`the rule has ${policy.maxTunnels} tunnels, as many as it may`];
    case "backends":
      return [`each backend that may be used carries ${policy.maxTunnelsPerBackend} tunnels or more`];
    case "rate":
      return [`${policy.handshakesPerSecond} handshakes begin in each second`];
    case "none":
    case "leaving":
      return [];
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
