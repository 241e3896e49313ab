import type { BackendState } from "./backend-state.ts";

/** What is asked of a choice. */
export interface Asked {
  /** What the backend is chosen by; undefined = the request has nothing to hash on. */
  readonly hashKey: string | undefined;
  /** Whether this request may have that backend. */
  suits(backend: BackendState): boolean;
}

/** A way to choose among the backends of one upstream that accept. */
export interface BackendChoice {
  /** Undefined = none suits. */
  pick(asked: Asked): BackendState | undefined;
}
