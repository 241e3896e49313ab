import { type ClusterChange, type ClusterObject, objectName } from "../controller/index.ts";
import type { ObjectFeed } from "../dns/index.ts";
import type { NamespacedName } from "../graph/index.ts";
import type { ObjectSink } from "./list-watch-options.ts";
import type { Resource } from "./resources.ts";
import { strip } from "./strip.ts";
import type { ObjectEvent } from "./watch-events.ts";

/** Hears of each route as the API server has it, its status included; undefined = it is gone. */
export type RouteListener = (name: NamespacedName, object: unknown) => void;

/** An object as it enters the store, and as it was read where somebody wants to see that. */
export interface ReadObject {
  readonly stripped: ClusterObject;
  readonly whole: unknown;
}

export interface ObjectScopeOptions {
  readonly resource: Resource;
  readonly feed: ObjectFeed;
  readonly onRoute: RouteListener | undefined;
}

/** Puts the objects of one list-watch into the store, and takes out those of its own that are gone. */
export class ObjectScope implements ObjectSink<ReadObject | undefined> {
  readonly #options: ObjectScopeOptions;
  /** Those that came from here. Others of the same kind are another list-watch's, or were made of DNS. */
  #names = new Set<NamespacedName>();

  constructor(options: ObjectScopeOptions) {
    this.#options = options;
  }

  read(object: unknown, apiVersion: string): ReadObject | undefined {
    const { resource, onRoute } = this.#options;
    const stripped = strip(object, resource, apiVersion);
    if (stripped === undefined) return undefined;
    const isHeard = onRoute !== undefined && resource.kind === "WebSocketRoute";
    return { stripped, whole: isHeard ? object : undefined };
  }

  replace(items: readonly (ReadObject | undefined)[]): void {
    const last = new Map<NamespacedName, ReadObject | undefined>();
    for (const name of this.#names) last.set(name, undefined);
    for (const item of items) if (item !== undefined) last.set(objectName(item.stripped), item);
    this.#apply(last);
  }

  apply(events: readonly { readonly type: ObjectEvent["type"]; readonly item: ReadObject | undefined }[]): void {
    const last = new Map<NamespacedName, ReadObject | undefined>();
    for (const { type, item } of events) {
      if (item !== undefined) last.set(objectName(item.stripped), type === "Put" ? item : undefined);
    }
    this.#apply(last);
  }

  /** Each name with what it is in the end; undefined = gone. */
  #apply(last: ReadonlyMap<NamespacedName, ReadObject | undefined>): void {
    const { feed, resource, onRoute } = this.#options;
    const { kind } = resource;
    const put: { kind: typeof kind; object: ClusterObject }[] = [];
    const removed: { kind: typeof kind; name: NamespacedName }[] = [];
    let besides: readonly ClusterChange[] = [];
    for (const [name, item] of last) {
      if (item === undefined) {
        if (this.#names.delete(name)) removed.push({ kind, name });
      } else {
        this.#names.add(name);
        put.push({ kind, object: item.stripped });
        if (kind === "WebSocketRoute" && this.#isSameSpec(name, item.stripped)) besides = [{ kind: "statuses" }];
      }
      if (kind === "WebSocketRoute") onRoute?.(name, item?.whole);
    }
    feed.apply({ put, removed, besides });
  }

  /** The API server counts `generation` up with each change of a spec, so what else changed is status, or of no use here. */
  #isSameSpec(name: NamespacedName, { metadata }: ClusterObject): boolean {
    const before = this.#options.feed.store.list("WebSocketRoute").get(name)?.metadata;
    return before !== undefined && isSameField("uid", before, metadata) && isSameField("generation", before, metadata);
  }
}

function isSameField(field: string, a: object, b: object): boolean {
  return Reflect.get(a, field) === Reflect.get(b, field);
}
