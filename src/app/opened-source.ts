import type { ClusterSource, StatusWriter } from "../controller/index.ts";
import type { Freshness } from "./thread-messages.ts";

/** A source with what belongs to it. */
export interface OpenSource {
  readonly source: ClusterSource;
  readonly status: StatusWriter;
  /** What is wrong with the source now. */
  problems(): readonly unknown[];
  /** When each kind of object was last known to be current; empty where nothing can be out of date. */
  freshness(): readonly Freshness[];
  /** The process is going to end: hands over what another replica can do. */
  leave(): void;
}
