import {
  afterDelay,
  type ClusterChange,
  type ClusterObject,
  objectName,
  ObjectStore,
  type After,
} from "../controller/index.ts";
import type { Kind, NamespacedName } from "../graph/index.ts";
import { type DnsSlice, dnsSliceNames } from "./dns-slices.ts";
import { ExternalNames } from "./external-names.ts";
import { resolveHost, type ResolveHost } from "./resolve-host.ts";

/** How ExternalName Services are followed; all of it has defaults. */
export interface DnsOptions {
  readonly resolve?: ResolveHost;
  readonly dnsIntervalMs?: number;
  readonly after?: After;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface ObjectFeedOptions extends DnsOptions {
  /** What is wrong with a Service's external name; undefined = nothing any more. */
  readonly onTrouble: (service: NamespacedName, message: string | undefined) => void;
}

const DNS_INTERVAL_MS = 5000;
const LONGEST_FIRST_ANSWER_MS = 2000;

/** What both sources of this room share: the store, the Services that DNS follows, and telling of changes. */
export class ObjectFeed {
  readonly store = new ObjectStore();
  readonly #after: After;
  readonly #names: ExternalNames;
  readonly #listeners: ((change: ClusterChange) => void)[] = [];
  /** Slices that DNS gave; those that somebody wrote are never touched. */
  readonly #dnsSlices = new Set<NamespacedName>();
  #changes: ClusterChange[] = [];
  #isApplying = false;
  #isTelling = false;

  constructor(options: ObjectFeedOptions) {
    this.#after = options.after ?? afterDelay;
    this.#names = new ExternalNames({
      resolve: options.resolve ?? resolveHost,
      after: this.#after,
      random: options.random ?? Math.random,
      intervalMs: options.dnsIntervalMs ?? DNS_INTERVAL_MS,
      onSlices: (service, slices) => this.#putDnsSlices(service, slices),
      onTrouble: options.onTrouble,
    });
  }

  onChange(listener: (change: ClusterChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Tells of changes from now on. Waits a moment for the first answers of DNS, so that nobody begins without them. */
  async start(signal: AbortSignal): Promise<void> {
    let cancel = (): void => {};
    const enough = new Promise<void>((resolve) => {
      cancel = this.#after(LONGEST_FIRST_ANSWER_MS, resolve);
      signal.addEventListener("abort", () => this.#stop(resolve), { once: true });
      if (signal.aborted) this.#stop(resolve);
    });
    await Promise.race([this.#names.firstAnswers(), enough]);
    cancel();
    this.#isTelling = true;
  }

  /** Takes objects in and out; tells of all that changed when everything is in place, of each thing once. */
  apply({ put, removed }: { readonly put: readonly Put[]; readonly removed: readonly Removed[] }): void {
    this.#isApplying = true;
    for (const { kind, object } of put) {
      if (kind === "EndpointSlice") this.#dnsSlices.delete(objectName(object));
      this.#note(kind, objectName(object), this.store.put(kind, object));
    }
    for (const { kind, name } of removed) this.#note(kind, name, this.store.remove(kind, name));
    this.#isApplying = false;
    this.#tell();
  }

  #note(kind: Kind, name: NamespacedName, changes: readonly ClusterChange[]): void {
    this.#changes.push(...changes);
    if (kind === "Service" && changes.length > 0) this.#names.set(name, this.store.list(kind).get(name));
  }

  #stop(done: () => void): void {
    this.#isTelling = false;
    this.#names.stop();
    done();
  }

  #putDnsSlices(service: NamespacedName, slices: readonly DnsSlice[]): string | undefined {
    const kept = new Set(slices.map(objectName));
    for (const name of dnsSliceNames(service)) {
      if (!kept.has(name) && this.#dnsSlices.delete(name))
        this.#changes.push(...this.store.remove("EndpointSlice", name));
    }
    let trouble: string | undefined;
    for (const slice of slices) {
      const name = objectName(slice);
      if (!this.#dnsSlices.has(name) && this.store.list("EndpointSlice").has(name)) {
        trouble = `EndpointSlice ${name} is defined already; what the external name resolves to has no place`;
        continue;
      }
      this.#dnsSlices.add(name);
      this.#changes.push(...this.store.put("EndpointSlice", slice));
    }
    if (!this.#isApplying) this.#tell();
    return trouble;
  }

  #tell(): void {
    const distinct = new Map(this.#changes.map((change) => [keyOf(change), change]));
    this.#changes = [];
    if (!this.#isTelling) return;
    for (const change of distinct.values()) for (const listener of this.#listeners) listener(change);
  }
}

export interface Put {
  readonly kind: Kind;
  readonly object: ClusterObject;
}

export interface Removed {
  readonly kind: Kind;
  readonly name: NamespacedName;
}

function keyOf(change: ClusterChange): string {
  return change.kind === "routes" ? change.kind : `${change.kind}|${change.service}`;
}
