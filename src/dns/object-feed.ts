import { type ClusterChange, type ClusterObject, objectName, ObjectStore } from "../controller/index.ts";
import type { Kind, NamespacedName } from "../graph/index.ts";
import { DnsEndpoints, type ExternalNamePolicy } from "./dns-endpoints.ts";

export interface ObjectFeedOptions {
  /** undefined: names are not followed; no host is ever asked for, and no timer runs. */
  readonly externalNames: ExternalNamePolicy | undefined;
}

/** What a source has read since the last time. */
export interface ObjectBatch {
  /** Objects that came or changed; those that say what they said before are no change. */
  readonly put: readonly Put[];
  /** Objects that went. Slices that DNS gave are not the source's to remove: they stay. */
  readonly removed: readonly Removed[];
  /** What changed besides, and is to be told together with the rest: statuses, say. */
  readonly besides?: readonly ClusterChange[];
}

export interface Put {
  readonly kind: Kind;
  readonly object: ClusterObject;
}

export interface Removed {
  readonly kind: Kind;
  readonly name: NamespacedName;
}

/**
 * What sources share: the store, the slices that DNS gives to ExternalName Services in it, and telling of changes. It
 * lives here since a batch is told as one, with the slices that its Services get or lose.
 */
export class ObjectFeed {
  /** All objects; among the EndpointSlices also those that DNS gave, which the source did not put. */
  readonly store = new ObjectStore();
  readonly #dns: DnsEndpoints | undefined;
  readonly #listeners: ((change: ClusterChange) => void)[] = [];
  #changes: ClusterChange[] = [];
  #isApplying = false;
  #isTelling = false;

  constructor({ externalNames }: ObjectFeedOptions) {
    if (externalNames === undefined) return;
    this.#dns = new DnsEndpoints({
      ...externalNames,
      store: this.store,
      onChanges: (changes) => {
        this.#changes.push(...changes);
        if (!this.#isApplying) this.#tell();
      },
    });
  }

  /** `listener` hears of changes from the end of `start` on. */
  onChange(listener: (change: ClusterChange) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Tells of changes from now on, until the signal; to be called when everything was applied that was read first.
   * Waits a moment for the first answers of DNS, so that nobody begins without them.
   */
  async start(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    if (signal.aborted) this.#stop();
    await this.#dns?.firstAnswers();
    this.#isTelling = !signal.aborted;
  }

  /** Takes objects in and out; tells of all that changed when everything is in place, of each thing once. */
  apply({ put, removed, besides = [] }: ObjectBatch): void {
    this.#isApplying = true;
    for (const { kind, object } of put) {
      this.#note(kind, objectName(object), this.store.put(kind, object));
    }
    for (const { kind, name } of removed) {
      if (kind === "EndpointSlice" && this.#dns?.has(name) === true) continue;
      this.#note(kind, name, this.store.remove(kind, name));
    }
    this.#changes.push(...besides);
    this.#isApplying = false;
    this.#tell();
  }

  #note(kind: Kind, name: NamespacedName, changes: readonly ClusterChange[]): void {
    this.#changes.push(...changes);
    if (kind === "Service" && changes.length > 0) this.#dns?.serviceChanged(name, this.store.list(kind).get(name));
    if (kind === "EndpointSlice") this.#dns?.sliceWritten(name);
  }

  #stop(): void {
    this.#isTelling = false;
    this.#dns?.stop();
  }

  #tell(): void {
    const distinct = new Map(this.#changes.map((change) => [keyOf(change), change]));
    this.#changes = [];
    if (!this.#isTelling) return;
    for (const change of distinct.values()) for (const listener of this.#listeners) listener(change);
  }
}

function keyOf(change: ClusterChange): string {
  return "service" in change ? `${change.kind}|${change.service}` : change.kind;
}
