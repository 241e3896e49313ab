import type { After, Log } from "../controller/index.ts";
import type { WatchApi } from "./api-client.ts";
import type { Resource } from "./resources.ts";
import type { KubeObserver } from "./types.ts";
import type { ObjectEvent } from "./watch-events.ts";

/** Where the objects of one list-watch go. */
export interface ObjectSink<Item> {
  /** Keeps of an object what is needed. */
  read(object: unknown, apiVersion: string): Item;
  /** All that there is; what is not among it is gone. */
  replace(items: readonly Item[]): void;
  /** What came and went, in order. */
  apply(events: readonly { readonly type: ObjectEvent["type"]; readonly item: Item }[]): void;
}

/** What list-watches of one source share; times are milliseconds. */
export interface ListWatchParts {
  readonly api: WatchApi;
  readonly log: Log;
  readonly observer: Pick<KubeObserver, "watchEnded"> | undefined;
  readonly after: After;
  /** On a clock that never goes back. */
  readonly now: () => number;
  /** Since 1970. */
  readonly wallNow: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Objects per page of a list. */
  readonly pageSize: number;
  /** A watch that says nothing for so long, not even a bookmark, is taken for dead; see Pulse. */
  readonly silenceMs: number;
  /** How long the server is asked to keep a watch, at least; a quarter of it is added by chance. */
  readonly watchMs: number;
  /** How often it is asked again for an optional resource that is not served. */
  readonly absentRetryMs: number;
}

export interface ListWatchOptions<Item> extends ListWatchParts {
  readonly resource: Resource;
  /** undefined = all. */
  readonly namespace: string | undefined;
  readonly sink: ObjectSink<Item>;
}
