import type { UpstreamKey } from "../routing/index.ts";
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

/** What cookies say of one upstream's backends: each has a value of its own, by its identity and the key alone. */
export class AffinityBook {
  readonly #upstream: UpstreamKey;

  constructor(upstream: UpstreamKey) {
    this.#upstream = upstream;
  }

  /** Undefined = none of these backends has that value. */
  find(_value: string, _backends: ReadonlyMap<unknown, BackendState>, _keys: AffinityKeys): BoundTo | undefined {
    return undefined;
  }

  /** What a client is given to come back to that backend. */
  valueOf({ backend }: BackendState, _keys: AffinityKeys): string {
    return `${this.#upstream}${backend.id}`;
  }
}
