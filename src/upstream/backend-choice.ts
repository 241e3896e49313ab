import type { BackendState } from "./backend-state.ts";
import type { BackendId } from "./types.ts";

/** What is asked of a choice. */
export interface Wish {
  /** Never chosen: they failed for this request. */
  readonly tried: ReadonlySet<BackendId>;
  /** What the backend is chosen by; undefined = the request has nothing to hash on. */
  readonly hashKey: string | undefined;
}

/** A way to choose among the backends of one upstream that accept. */
export interface BackendChoice {
  /** Undefined = all were tried. */
  pick(wish: Wish): BackendState | undefined;
}
