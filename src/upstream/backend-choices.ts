import type { Balancing } from "../routing/index.ts";
import type { AcceptingBackends } from "./accepting-backends.ts";
import type { Asked, BackendChoice } from "./backend-choice.ts";
import type { BackendState } from "./backend-state.ts";
import { ConsistentHash } from "./consistent-hash.ts";
import { LeastTunnels } from "./least-tunnels.ts";
import { RoundRobin } from "./round-robin.ts";
import { TwoChoices } from "./two-choices.ts";

/**
 * The ways to choose in one upstream, for all rules that share it. Each keeps what it needs (whose turn it is, the ring)
 * over every change of endpoints and rules, by the backends' identity.
 */
export class BackendChoices {
  readonly #byAlgorithm: Readonly<Record<Balancing["algorithm"], BackendChoice>>;

  /** `random` gives numbers in [0, 1). */
  constructor(accepting: AcceptingBackends, random: () => number) {
    const leastTunnels = new LeastTunnels(accepting, random);
    this.#byAlgorithm = {
      LeastTunnels: leastTunnels,
      RoundRobin: new RoundRobin(accepting, random),
      Random: new TwoChoices(accepting, random),
      ConsistentHash: new ConsistentHash(accepting, leastTunnels),
    };
  }

  pick(algorithm: Balancing["algorithm"], asked: Asked): BackendState | undefined {
    return this.#byAlgorithm[algorithm].pick(asked);
  }
}
