import type { UpstreamKey } from "../routing/index.ts";
import { AffinityValues } from "./affinity-values.ts";
import type { BackendState } from "./backend-state.ts";

/** With what cookies are made. Both count, and new ones are made with `current`: that is how keys are rotated. */
export interface AffinityKeys {
  readonly current: Uint8Array;
  readonly previous: Uint8Array | undefined;
}

/** Whom a cookie means. */
export interface BoundTo {
  readonly backend: BackendState;
  /** It was made with the key in force. */
  readonly isCurrent: boolean;
}

/**
 * What cookies say of one upstream's backends: each has a value of its own, by its identity and the key alone, so that all
 * processes with that key agree. A Pod made anew is another one, whatever its address.
 */
export class AffinityBook {
  readonly #upstream: UpstreamKey;
  #keys: AffinityKeys | undefined = undefined;
  #current: AffinityValues | undefined = undefined;
  #previous: AffinityValues | undefined = undefined;

  constructor(upstream: UpstreamKey) {
    this.#upstream = upstream;
  }

  /** To be called when a backend came, or may have begun or ceased to accept. */
  backendsChanged(): void {
    this.#current?.backendsChanged();
    this.#previous?.backendsChanged();
  }

  /** Undefined = none of these backends has that value. */
  find(
    value: string,
    backends: ReadonlyMap<BackendState["backend"]["id"], BackendState>,
    keys: AffinityKeys,
  ): BoundTo | undefined {
    const current = this.#valuesUnder(keys).find(value, backends);
    if (current !== undefined) return { backend: current, isCurrent: true };
    const previous = this.#previous?.find(value, backends);
    return previous && { backend: previous, isCurrent: false };
  }

  /** What a client is given to come back to that backend. */
  valueOf(backend: BackendState, keys: AffinityKeys): string {
    return this.#valuesUnder(keys).valueOf(backend);
  }

  /** Those under the key in force; what is known under keys that are gone is forgotten. */
  #valuesUnder(keys: AffinityKeys): AffinityValues {
    if (this.#keys === keys && this.#current !== undefined) return this.#current;
    const known = [this.#current, this.#previous].filter((values) => values !== undefined);
    const under = (key: Uint8Array): AffinityValues =>
      known.find((values) => values.isUnder(key)) ?? new AffinityValues(this.#upstream, key);
    const current = under(keys.current);
    this.#current = current;
    this.#previous = keys.previous && under(keys.previous);
    this.#keys = keys;
    return current;
  }
}
